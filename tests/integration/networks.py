# SPDX-License-Identifier: GPL-3.0-or-later
"""Small networks for the tests of the importer: writers for ONNX, TensorFlow Lite
and TensorFlow.js files, each the few lines its format takes, and the operators in
NumPy to compute what the networks should yield. Values are [channels, height,
width]."""
import json
import os
import struct

import numpy as np

# --- Operators ------------------------------------------------------------------


def windows(x, kernel, stride, pads, fill=0.0):
    """pads: top, left, bottom, right. Result: channels, height, width, kernel."""
    padded = np.pad(x, [(0, 0), (pads[0], pads[2]), (pads[1], pads[3])], constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(1, 2))
    return view[:, ::stride[0], ::stride[1]]


def convolution(x, weight, bias, stride=(1, 1), pads=(0, 0, 0, 0), groups=1):
    out, depth = weight.shape[:2]
    parts = []
    for g in range(groups):
        view = windows(x[g * depth:(g + 1) * depth], weight.shape[2:], stride, pads)
        share = weight[g * out // groups:(g + 1) * out // groups]
        parts.append(np.einsum('chwkl,ockl->ohw', view, share))
    return np.concatenate(parts) + bias[:, None, None]


def maximum(x, kernel, stride, pads):
    return windows(x, kernel, stride, pads, -np.inf).max((3, 4))


def average(x, kernel, stride, pads, count_padding):
    total = windows(x, kernel, stride, pads).sum((3, 4))
    if count_padding:
        return total / (kernel[0] * kernel[1])
    return total / windows(np.ones_like(x), kernel, stride, pads).sum((3, 4))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


# --- ONNX: protocol buffers --------------------------------------------------------


def varint(value):
    value &= (1 << 64) - 1
    out = b''
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def number(field, value):
    return varint(field << 3) + varint(value)


def block(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def onnx_tensor(name, values):
    values = np.asarray(values)
    kind = {'f': 1, 'i': 7}[values.dtype.kind]
    raw = values.astype('<f4' if kind == 1 else '<i8').tobytes()
    return (b''.join(number(1, d) for d in values.shape) + number(2, kind) + block(8, name) +
            block(9, raw))


def onnx_attribute(name, value):
    out = block(1, name)
    if isinstance(value, float):
        return out + varint(2 << 3 | 5) + struct.pack('<f', value) + number(20, 1)
    if isinstance(value, int):
        return out + number(3, value) + number(20, 2)
    if isinstance(value, str):
        return out + block(4, value) + number(20, 3)
    if isinstance(value, np.ndarray):
        return out + block(5, onnx_tensor('', value)) + number(20, 4)
    return out + b''.join(number(8, v) for v in value) + number(20, 7)


class Onnx:
    def __init__(self, height, width, opset=13):
        self.nodes, self.constants, self.opset = [], [], opset
        self.shape = (1, 3, height, width)

    def node(self, kind, inputs, output, **attributes):
        self.nodes.append(b''.join(block(1, i) for i in inputs) + block(2, output) +
                          block(3, 'node_' + output) + block(4, kind) +
                          b''.join(block(5, onnx_attribute(*a)) for a in attributes.items()))
        return output

    def constant(self, name, values):
        self.constants.append(onnx_tensor(name, values))
        return name

    def write(self, path, output):
        dims = b''.join(block(1, number(1, d)) for d in self.shape)
        info = lambda name, shape: block(1, name) + block(2, block(1, number(1, 1) +
                                                                      block(2, shape)))
        graph = (b''.join(block(1, n) for n in self.nodes) + block(2, 'g') +
                 b''.join(block(5, c) for c in self.constants) + block(11, info('x', dims)) +
                 block(12, info(output, b'')))
        with open(path, 'wb') as file:
            file.write(number(1, 8) + block(7, graph) + block(8, block(1, '') +
                                                              number(2, self.opset)))


# --- TensorFlow Lite: FlatBuffers ------------------------------------------------------


class Table(dict):
    """Field number: ('b', byte), ('i', int), ('o', object); objects are tables, str,
    lists of tables, or NumPy arrays."""


def flatbuffer(root, identifier):
    out = bytearray(struct.pack('<I', 0) + identifier)

    def align(size):
        while len(out) % size:
            out.append(0)

    def emit(thing):
        if isinstance(thing, str):
            thing = np.frombuffer(thing.encode() + b'\0', 'u1')
            align(4)
            place = len(out)
            out.extend(struct.pack('<I', len(thing) - 1) + thing.tobytes())
            return place
        if isinstance(thing, np.ndarray):
            align(4)
            if thing.dtype.itemsize == 8:
                while (len(out) + 4) % 8:
                    out.extend(b'\0\0\0\0')
            place = len(out)
            out.extend(struct.pack('<I', thing.size) + thing.tobytes())
            return place
        if isinstance(thing, list):
            align(4)
            place = len(out)
            out.extend(struct.pack('<I', len(thing)) + bytes(4 * len(thing)))
            for i, item in enumerate(thing):
                child = emit(item)
                struct.pack_into('<I', out, place + 4 + 4 * i, child - (place + 4 + 4 * i))
            return place
        align(4)
        count = max(thing, default=-1) + 1
        vtable = len(out)
        size = 4 + 4 * len(thing)
        places = {field: 4 + 4 * i for i, field in enumerate(sorted(thing))}
        out.extend(struct.pack('<HH', 4 + 2 * count, size))
        for field in range(count):
            out.extend(struct.pack('<H', places.get(field, 0)))
        align(4)
        table = len(out)
        out.extend(struct.pack('<i', table - vtable) + bytes(size - 4))
        for field, (kind, value) in thing.items():
            place = table + places[field]
            if kind == 'b':
                out[place] = value
            elif kind == 'i':
                struct.pack_into('<i', out, place, value)
            else:
                child = emit(value)
                struct.pack_into('<I', out, place, child - place)
        return table

    struct.pack_into('<I', out, 0, emit(root))
    return bytes(out)


class TfLite:
    """Tensors are named; shapes are TensorFlow's, with channels last."""
    CODES = {'ADD': 0, 'AVERAGE_POOL_2D': 1, 'CONCATENATION': 2, 'CONV_2D': 3,
             'DEPTHWISE_CONV_2D': 4, 'FULLY_CONNECTED': 9, 'MAX_POOL_2D': 17, 'RESHAPE': 22,
             'SOFTMAX': 25, 'PAD': 34, 'MEAN': 40, 'TANH': 28}
    TYPES = {'f4': 0, 'i4': 2, 'u1': 3, 'i1': 9}

    def __init__(self):
        self.buffers, self.tensors, self.operators, self.index = [Table()], [], [], {}

    def tensor(self, name, shape, kind='f4', data=None, scale=None, zero=None):
        fields = Table({0: ('o', np.array(shape, '<i4')), 1: ('b', self.TYPES[kind]),
                        2: ('i', 0), 3: ('o', name)})
        if data is not None:
            fields[2] = ('i', len(self.buffers))
            raw = np.frombuffer(np.ascontiguousarray(data).astype('<' + kind).tobytes(), 'u1')
            self.buffers.append(Table({0: ('o', raw)}))
        if scale is not None:
            fields[4] = ('o', Table({2: ('o', np.atleast_1d(np.array(scale, '<f4'))),
                                     3: ('o', np.atleast_1d(np.array(zero, '<i8')))}))
        self.index[name] = len(self.tensors)
        self.tensors.append(fields)
        return name

    def operator(self, kind, inputs, output, options=None):
        self.operators.append((kind, [self.index[i] for i in inputs], self.index[output],
                               options or Table()))

    def write(self, path, source, output):
        kinds = sorted({o[0] for o in self.operators})
        codes = [Table({0: ('b', self.CODES[k])}) for k in kinds]
        operators = [Table({0: ('i', kinds.index(kind)), 1: ('o', np.array(inputs, '<i4')),
                            2: ('o', np.array([result], '<i4')), 4: ('o', options)})
                     for kind, inputs, result, options in self.operators]
        graph = Table({0: ('o', self.tensors), 1: ('o', np.array([self.index[source]], '<i4')),
                       2: ('o', np.array([self.index[output]], '<i4')), 3: ('o', operators)})
        model = Table({0: ('i', 3), 1: ('o', codes), 2: ('o', [graph]), 4: ('o', self.buffers)})
        with open(path, 'wb') as file:
            file.write(flatbuffer(model, b'TFL3'))


# --- TensorFlow.js: JSON and raw floats ---------------------------------------------------


class TensorFlowJs:
    def __init__(self, height, width):
        self.layers, self.weights, self.data = [], [], b''
        self.layer('InputLayer', 'x', [], batch_input_shape=[None, height, width, 3])

    def layer(self, kind, name, inputs, weights=None, **config):
        self.layers.append({'class_name': kind, 'name': name, 'config': {'name': name, **config},
                            'inbound_nodes': [[[i, 0, 0, {}] for i in inputs]] if inputs else []})
        for part, values in (weights or {}).items():
            self.weights.append({'name': f'{name}/{part}', 'shape': list(values.shape),
                                 'dtype': 'float32'})
            self.data += values.astype('<f4').tobytes()
        return name

    def write(self, folder):
        half = len(self.data) // 8 * 4
        for name, part in (('a.bin', self.data[:half]), ('b.bin', self.data[half:])):
            with open(os.path.join(folder, name), 'wb') as file:
                file.write(part)
        path = os.path.join(folder, 'model.json')
        with open(path, 'w') as file:
            json.dump({'format': 'layers-model', 'modelTopology': {'model_config': {
                'class_name': 'Model', 'config': {'layers': self.layers}}},
                'weightsManifest': [{'paths': ['a.bin', 'b.bin'], 'weights': self.weights}]}, file)
        return path
