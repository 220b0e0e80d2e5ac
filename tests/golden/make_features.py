#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Computes the golden features of the photos in tests/photos.

An independent implementation in NumPy: it reads the TensorFlow Lite file itself
(not the model file that the importer wrote) and computes the network in float64,
each value clamped to the range that its tensor's 8 bits can hold.

Usage: make_features.py GRAPH.lite OUTPUT.safetensors PHOTO…
"""
import json
import os
import struct
import sys

import numpy as np
from PIL import Image


class Tables:
    """FlatBuffers, trusted."""

    def __init__(self, data):
        self.data = data

    def number(self, form, place):
        return struct.unpack_from(form, self.data, place)[0]

    def follow(self, place):
        return place + self.number('<I', place)

    def field(self, table, index):
        vtable = table - self.number('<i', table)
        if 4 + 2 * index >= self.number('<H', vtable):
            return 0
        offset = self.number('<H', vtable + 4 + 2 * index)
        return table + offset if offset else 0

    def scalar(self, table, index, form, otherwise):
        place = self.field(table, index)
        return self.number(form, place) if place else otherwise

    def array(self, table, index, form):
        place = self.field(table, index) if table else 0
        if not place:
            return np.zeros(0, form)
        start = self.follow(place)
        return np.frombuffer(self.data, form, self.number('<I', start), start + 4)

    def tables(self, table, index):
        start = self.follow(self.field(table, index))
        return [self.follow(start + 4 + 4 * i) for i in range(self.number('<I', start))]

    def text(self, table, index):
        return self.array(table, index, 'u1').tobytes().decode()


def same_padding(size, kernel, stride):
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def windows(value, kernel, stride, same, fill):
    """All windows of a value of [height, width, channels]."""
    pads = [same_padding(value.shape[i], kernel[i], stride[i]) if same else (0, 0)
            for i in range(2)]
    padded = np.pad(value, pads + [(0, 0)], constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(0, 1))
    return view[::stride[0], ::stride[1]]  # height, width, channels, kernel


class Network:
    CONCAT, CONVOLUTION, AVERAGE, MAXIMUM, RESHAPE = 2, 3, 1, 17, 22

    def __init__(self, path):
        with open(path, 'rb') as file:
            self.tables = tables = Tables(file.read())
        root = tables.follow(0)
        self.codes = [tables.scalar(code, 0, '<B', 0) for code in tables.tables(root, 1)]
        self.buffers = tables.tables(root, 4)
        graph = tables.tables(root, 2)[0]
        self.tensors = tables.tables(graph, 0)
        self.names = [tables.text(tensor, 3) for tensor in self.tensors]
        self.operators = tables.tables(graph, 3)
        self.input = int(tables.array(graph, 1, '<i4')[0])

    def quantisation(self, index):
        place = self.tables.field(self.tensors[index], 4)
        table = self.tables.follow(place) if place else 0
        return (float(self.tables.array(table, 2, '<f4')[0]),
                int((list(self.tables.array(table, 3, '<i8')) or [0])[0]))

    def constant(self, index, form):
        tensor = self.tensors[index]
        buffer = self.buffers[self.tables.scalar(tensor, 2, '<I', 0)]
        shape = self.tables.array(tensor, 0, '<i4')
        scale, zero = self.quantisation(index)
        raw = self.tables.array(buffer, 0, 'u1').tobytes()
        return (np.frombuffer(raw, form).astype(float) - zero).reshape(shape) * scale

    def run(self, pixels):
        tables = self.tables
        scale, zero = self.quantisation(self.input)
        values = {self.input: (pixels.astype(float) - zero) * scale}
        for operator in self.operators:
            code = self.codes[tables.scalar(operator, 0, '<I', 0)]
            inputs = [int(i) for i in tables.array(operator, 1, '<i4')]
            output = int(tables.array(operator, 2, '<i4')[0])
            place = tables.field(operator, 4)
            options = tables.follow(place) if place else 0
            value = values.get(inputs[0])
            if code in (self.CONVOLUTION, self.AVERAGE, self.MAXIMUM):
                same = tables.scalar(options, 0, '<B', 0) == 0
                stride = tuple(tables.scalar(options, i, '<i', 0) for i in (2, 1))
            if code == self.CONVOLUTION:
                weight = self.constant(inputs[1], 'u1')
                bias = self.constant(inputs[2], '<i4')
                view = windows(value, weight.shape[1:3], stride, same, 0.0)
                rows = view.transpose(0, 1, 3, 4, 2).reshape(view.shape[0] * view.shape[1], -1)
                result = rows @ weight.reshape(len(bias), -1).T + bias
                result = result.reshape(view.shape[0], view.shape[1], -1)
            elif code in (self.AVERAGE, self.MAXIMUM):
                kernel = tuple(tables.scalar(options, i, '<i', 0) for i in (4, 3))
                if code == self.MAXIMUM:
                    result = windows(value, kernel, stride, same, -np.inf).max((3, 4))
                else:
                    count = windows(np.ones(value.shape), kernel, stride, same, 0.0).sum((3, 4))
                    result = windows(value, kernel, stride, same, 0.0).sum((3, 4)) / count
            elif code == self.CONCAT:
                result = np.concatenate([values[i] for i in inputs], axis=2)
            elif code == self.RESHAPE:
                result = value
            else:
                sys.exit(f'operator {code} is not known here')
            scale, zero = self.quantisation(output)
            values[output] = np.clip(result, scale * (0 - zero), scale * (255 - zero))
        return {self.names[i]: value for i, value in values.items()}


def write(path, tensors):
    header, data = {}, b''
    for name, values in tensors.items():
        raw = np.ascontiguousarray(values, '<f4').tobytes()
        header[name] = {'dtype': 'F32', 'shape': list(values.shape),
                        'data_offsets': [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as file:
        file.write(struct.pack('<Q', len(text)) + text + data)


def main():
    network = Network(sys.argv[1])
    tensors = {}
    for photo in sys.argv[3:]:
        picture = Image.open(photo).convert('RGB').resize((299, 299), Image.BILINEAR)
        values = network.run(np.asarray(picture))
        name = os.path.basename(photo)
        tensors[name + '.pool'] = values['InceptionV3/Logits/AvgPool_1a_8x8/AvgPool'].ravel()
        tensors[name + '.logits'] = values['InceptionV3/Logits/Conv2d_1c_1x1/BiasAdd'].ravel()
        print(name, np.argsort(-tensors[name + '.logits'])[:3])
    write(sys.argv[2], tensors)


if __name__ == "__main__":
    main()
