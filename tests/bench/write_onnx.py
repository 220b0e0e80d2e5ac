# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the encoder of a Descry model file as ONNX: once in 32-bit floats and
once in 8 bits (QLinearConv with unsigned activations and signed weights, the
form that ONNX Runtime runs fastest on x86), same shapes, same weights, from the
picture to the pooled features. The protocol buffers are written by hand, so
nothing needs to be installed.

Usage: write_onnx.py MODEL.gguf FLOAT.onnx INT8.onnx"""

import struct
import sys

from network import Network

FLOAT, UINT8, INT8, INT32 = 1, 2, 3, 6


def varint(n):
    out = bytearray()
    n &= (1 << 64) - 1
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def number(field, n):
    return varint(field << 3) + varint(n)


def blob(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def tensor(name, kind, shape, data):
    return b"".join(number(1, d) for d in shape) + number(2, kind) + blob(8, name) + blob(9, data)


def attribute(name, value):
    if isinstance(value, list):
        return blob(1, name) + b"".join(number(8, v) for v in value) + number(20, 7)
    if isinstance(value, float):
        return blob(1, name) + varint(2 << 3 | 5) + struct.pack("<f", value) + number(20, 1)
    return blob(1, name) + number(3, value) + number(20, 2)


def value_info(name, kind, shape):
    dimensions = b"".join(blob(1, number(1, d)) for d in shape)
    return blob(1, name) + blob(2, blob(1, number(1, kind) + blob(2, dimensions)))


class Writer:
    def __init__(self):
        self.nodes, self.tensors = [], []

    def node(self, kind, inputs, output, domain="", **attributes):
        data = b"".join(blob(1, i) for i in inputs) + blob(2, output) + blob(3, output)
        data += blob(4, kind)
        data += b"".join(blob(5, attribute(k, v)) for k, v in attributes.items())
        if domain:
            data += blob(7, domain)
        self.nodes.append(data)
        return output

    def tensor(self, name, kind, shape, data):
        self.tensors.append(tensor(name, kind, shape, data))
        return name

    def scalar(self, name, kind, value):
        return self.tensor(name, kind, [], struct.pack({FLOAT: "<f", UINT8: "<B", INT8: "<b"}[kind],
                                                       value))

    def save(self, path, source, output):
        graph = b"".join(blob(1, n) for n in self.nodes) + blob(2, "encoder")
        graph += b"".join(blob(5, t) for t in self.tensors)
        graph += blob(11, value_info(*source)) + blob(12, value_info(*output))
        model = number(1, 7) + blob(2, "descry") + blob(7, graph)
        model += blob(8, blob(1, "") + number(2, 12))
        model += blob(8, blob(1, "com.microsoft") + number(2, 1))
        with open(path, "wb") as file:
            file.write(model)


def window(node):
    top, left, bottom, right = node.padding
    return dict(kernel_shape=list(node.kernel), strides=list(node.stride),
                pads=[top, left, bottom, right])


def transpose_weights(node):
    """[out, height, width, in] to ONNX's [out, in, height, width], as bytes."""
    out, height, width, depth = node.weight.shape
    data, area = node.weight.data, height * width
    result = bytearray(len(data))
    for o in range(out):
        base = o * area * depth
        block = data[base:base + area * depth]
        for d in range(depth):
            result[base + d * area:base + (d + 1) * area] = block[d::depth]
    return bytes(result), [out, depth, height, width]


def per_channel(tensor_, count):
    values = tensor_.values() if tensor_ else (0,)
    return values if len(values) == count else tuple(values) * count


def write_float(network, path):
    w = Writer()
    for node in network.nodes[1:network.output + 1]:
        names = [network.nodes[i].name for i in node.inputs]
        if node.operator == "conv2d":
            raw, shape = transpose_weights(node)
            size = len(raw) // shape[0]
            scales = per_channel(node.weight_scale, shape[0])
            zeros = per_channel(node.weight_zero, shape[0])
            data = bytearray()
            for o in range(shape[0]):
                table = [(b - zeros[o]) * scales[o] for b in list(range(128)) + list(range(-128, 0))]
                data += struct.pack("<%df" % size, *[table[b] for b in raw[o * size:(o + 1) * size]])
            bias = [b * network.input_scale(node) * s for b, s in zip(node.bias.values(), scales)]
            inputs = [names[0], w.tensor(node.name + ".w", FLOAT, shape, bytes(data)),
                      w.tensor(node.name + ".b", FLOAT, shape[:1],
                               struct.pack("<%df" % shape[0], *bias))]
            w.node("Conv", inputs, node.name + ".sum", **window(node))
            w.node("Relu", [node.name + ".sum"], node.name)
        elif node.operator == "max_pool":
            w.node("MaxPool", names, node.name, **window(node))
        elif node.operator == "average_pool":
            w.node("AveragePool", names, node.name, count_include_pad=0, **window(node))
        elif node.operator == "global_average_pool":
            w.node("GlobalAveragePool", names, node.name)
        elif node.operator == "concat":
            w.node("Concat", names, node.name, axis=1)
        else:
            raise ValueError("no ONNX for " + node.operator)
    w.save(path, (network.nodes[0].name, FLOAT, [1, 3, network.height, network.width]),
           (network.nodes[network.output].name, FLOAT, [1, 2048, 1, 1]))


def write_int8(network, path):
    w = Writer()
    scale = {n.name: w.scalar(n.name + ".scale", FLOAT, n.scale) for n in network.nodes[:network.output + 1]}
    zero = {n.name: w.scalar(n.name + ".zero", UINT8, n.zero) for n in network.nodes[:network.output + 1]}
    for node in network.nodes[1:network.output + 1]:
        names = [network.nodes[i].name for i in node.inputs]
        own = [scale[node.name], zero[node.name]]
        if node.operator == "conv2d":
            raw, shape = transpose_weights(node)
            weights = w.tensor(node.name + ".w", INT8, shape, raw)
            s = w.scalar(node.name + ".ws", FLOAT, node.weight_scale.values()[0])
            z = w.scalar(node.name + ".wz", INT8, node.weight_zero.values()[0] if node.weight_zero
                         else 0)
            bias = w.tensor(node.name + ".b", INT32, shape[:1], node.bias.data)
            w.node("QLinearConv", [names[0], scale[names[0]], zero[names[0]], weights, s, z] + own +
                   [bias], node.name, **window(node))
        elif node.operator == "max_pool":
            w.node("MaxPool", names, node.name, **window(node))
        elif node.operator == "average_pool":
            w.node("QLinearAveragePool", [names[0], scale[names[0]], zero[names[0]]] + own,
                   node.name, "com.microsoft", count_include_pad=0, **window(node))
        elif node.operator == "global_average_pool":
            w.node("QLinearGlobalAveragePool", [names[0], scale[names[0]], zero[names[0]]] + own,
                   node.name, "com.microsoft", channels_last=0)
        elif node.operator == "concat":
            inputs = list(own)
            for name in names:
                inputs += [name, scale[name], zero[name]]
            w.node("QLinearConcat", inputs, node.name, "com.microsoft", axis=1)
        else:
            raise ValueError("no ONNX for " + node.operator)
    w.save(path, (network.nodes[0].name, UINT8, [1, 3, network.height, network.width]),
           (network.nodes[network.output].name, UINT8, [1, 2048, 1, 1]))


def main():
    network = Network(sys.argv[1])
    write_float(network, sys.argv[2])
    write_int8(network, sys.argv[3])


if __name__ == "__main__":
    main()
