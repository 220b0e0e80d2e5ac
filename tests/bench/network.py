# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the encoder's graph and weights from a Descry model file (GGUF v3), so
that peers run the very network that Descry runs. Standard library only."""

import struct

_SIZES = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
F32, F16, I8, I32 = 0, 1, 24, 26
_BYTES = {F32: 4, F16: 2, I8: 1, I32: 4}


class Tensor:
    def __init__(self, kind, shape, data):
        self.kind, self.shape, self.data = kind, shape, data

    def values(self):
        count = len(self.data) // _BYTES[self.kind]
        return struct.unpack("<%d%s" % (count, {F32: "f", F16: "e", I8: "b", I32: "i"}[self.kind]),
                                        self.data)


class Node:
    """One node; `clamp`, `scale` and `zero` are those of the value it yields."""


class Network:
    def __init__(self, path):
        with open(path, "rb") as file:
            self._bytes = file.read()
        self._at = 0
        self._keys, self._tensors = {}, {}
        self._parse()
        self._build()

    def _take(self, code):
        value = struct.unpack_from("<" + code, self._bytes, self._at)[0]
        self._at += struct.calcsize("<" + code)
        return value

    def _text(self):
        length = self._take("Q")
        self._at += length
        return self._bytes[self._at - length:self._at].decode()

    def _value(self, kind):
        if kind == 8:
            return self._text()
        if kind == 9:
            element, count = self._take("I"), self._take("Q")
            if element in _SIZES:
                code = "<%d%s" % (count, _SIZES[element])
                values = struct.unpack_from(code, self._bytes, self._at)
                self._at += struct.calcsize(code)
                return list(values)
            return [self._value(element) for _ in range(count)]
        return self._take(_SIZES[kind])

    def _parse(self):
        if self._bytes[:4] != b"GGUF":
            raise ValueError("not a GGUF file")
        self._at = 8
        tensors, keys = self._take("Q"), self._take("Q")
        for _ in range(keys):
            name = self._text()
            self._keys[name] = self._value(self._take("I"))
        places = []
        for _ in range(tensors):
            name = self._text()
            shape = [self._take("Q") for _ in range(self._take("I"))][::-1]
            places.append((name, shape, self._take("I"), self._take("Q")))
        alignment = self._keys.get("general.alignment", 32)
        start = (self._at + alignment - 1) // alignment * alignment
        for name, shape, kind, offset in places:
            size = _BYTES[kind]
            for dimension in shape:
                size *= dimension
            self._tensors[name] = Tensor(kind, shape,
                                         self._bytes[start + offset:start + offset + size])

    def _build(self):
        key = lambda name: self._keys["descry.encoder." + name]
        self.height, self.width = key("input.height"), key("input.width")
        self.nodes, at = [], 0
        inputs = key("node.inputs")
        for i, name in enumerate(key("node.name")):
            node = Node()
            node.name, node.operator = name, key("node.operator")[i]
            count = key("node.input_count")[i]
            node.inputs = inputs[at:at + count]
            at += count
            node.kernel = key("node.kernel")[2 * i:2 * i + 2]
            node.stride = key("node.stride")[2 * i:2 * i + 2]
            node.padding = key("node.padding")[4 * i:4 * i + 4]
            node.clamp = key("node.clamp")[2 * i:2 * i + 2]
            node.scale, node.zero = key("node.scale")[i], key("node.zero_point")[i]
            part = lambda what: self._tensors.get("encoder.%s.%s" % (name, what))
            node.weight, node.bias = part("weight"), part("bias")
            node.weight_scale, node.weight_zero = part("scale"), part("zero_point")
            self.nodes.append(node)
        names = [node.name for node in self.nodes]
        self.output = names.index(key("output.pool"))

    def input_scale(self, node):
        return self.nodes[node.inputs[0]].scale
