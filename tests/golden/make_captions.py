#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Computes the golden captions of the photos in tests/photos.

An independent implementation in NumPy: features in float64 from the TensorFlow
Lite file (make_features.py), the attention decoder from the model file, its
8-bit weights multiplied with vectors rounded to 8 bits as engine/MODEL.md says.
Writes for each photo the greedy and beam-3 captions, how many words of the
greedy one rounding cannot change, and the ten likeliest first words with their
logits, and above them the checksum of the model's networks and
vocabulary, by which tests/unit/test_golden_photos.c knows whether it fits.

Usage: make_captions.py GRAPH.lite MODEL.gguf OUTPUT.json PHOTO…
"""
import json
import os
import struct
import sys
import zlib

import numpy as np
from PIL import Image

from make_features import Network

SIZES = {0: '<B', 1: '<b', 2: '<H', 3: '<h', 4: '<I', 5: '<i', 6: '<f', 7: '<B', 10: '<Q',
         11: '<q', 12: '<d'}
TIE = 0.005
TENSORS = {0: '<f4', 1: '<f2', 24: 'i1', 26: '<i4'}


class Gguf:
    """A model file, trusted."""

    def __init__(self, path):
        with open(path, 'rb') as file:
            self.data = file.read()
        self.place = 8
        tensors, keys = self.number('<Q'), self.number('<Q')
        self.keys = {}
        for _ in range(keys):
            name = self.text()
            self.keys[name] = self.value(self.number('<I'))
        entries = []
        for _ in range(tensors):
            name, rank = self.text(), self.number('<I')
            shape = [self.number('<Q') for _ in range(rank)][::-1]
            entries.append((name, shape, self.number('<I'), self.number('<Q')))
        alignment = self.keys.get('general.alignment', 32)
        start = -(-self.place // alignment) * alignment
        self.places = [(name, start + offset, int(np.prod(shape)) * np.dtype(TENSORS[kind]).itemsize)
                       for name, shape, kind, offset in entries]
        self.tensors = {name: np.frombuffer(self.data, TENSORS[kind], int(np.prod(shape)),
                                            start + offset).reshape(shape)
                        for name, shape, kind, offset in entries}

    def checksum(self):
        total = 0
        for word in self.keys['tokenizer.ggml.tokens']:
            total = zlib.crc32(word.encode() + b'\0', total)
        for name, start, size in self.places:
            if name.startswith(('encoder.', 'decoder.')):
                total = zlib.crc32(self.data[start:start + size], zlib.crc32(name.encode(), total))
        return f'{total:08x}'

    def number(self, form):
        value, = struct.unpack_from(form, self.data, self.place)
        self.place += struct.calcsize(form)
        return value

    def text(self):
        length = self.number('<Q')
        self.place += length
        return self.data[self.place - length:self.place].decode()

    def value(self, kind):
        if kind == 8:
            return self.text()
        if kind == 9:
            inner, count = self.number('<I'), self.number('<Q')
            return [self.value(inner) for _ in range(count)]
        return self.number(SIZES[kind])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class Decoder:
    def __init__(self, model):
        self.model = model
        self.words = model.keys['tokenizer.ggml.tokens']
        self.sharpness = model.keys.get('descry.decoder.sharpness', 1)
        self.power = model.keys.get('descry.decoder.length_power', 0.7)
        self.groups = model.tensors.get('decoder.word.group', np.zeros(len(self.words), int))

    def vector(self, name):
        return self.model.tensors['decoder.' + name].astype(float)

    def has(self, name):
        return 'decoder.' + name in self.model.tensors

    def product(self, name, x):
        weight = self.model.tensors['decoder.' + name]
        if weight.dtype != np.int8:
            return x @ weight.astype(float).T
        largest = np.abs(x).max(axis=-1, keepdims=True).astype(np.float32)
        scale = np.where(largest > 0, largest / np.float32(127), 1)
        codes = np.rint(x * np.where(largest > 0, np.float32(127) / largest, 0))
        return codes @ weight.astype(float).T * scale * self.vector(name + '.scale')

    def photo_product(self, name, x):
        """Of a vector that the photo fixes for all words: what rounding leaves counts, too."""
        if self.model.tensors['decoder.' + name].dtype != np.int8:
            return self.product(name, x)
        scale = np.abs(x).max() / 127 or 1
        rest = x - scale * np.rint(x / scale)
        return self.product(name, x) + self.product(name, rest)

    def begin(self, pool, grid, classes):
        p = (pool - self.vector('feature.mean')) / self.vector('feature.std')
        v = self.photo_product('image.weight', p) + self.vector('image.bias')
        if self.has('class.weight'):
            v += self.photo_product('class.weight', np.sqrt(classes))
        self.v = np.maximum(v, 0)
        state = np.tanh(self.photo_product('state.weight', self.v) + self.vector('state.bias'))
        self.regions = np.maximum(self.product('region.weight', grid) *
                                  self.vector('region.scale') + self.vector('region.bias'), 0)
        self.keys = self.product('attention.key.weight', self.regions)
        return np.split(state, 2)

    def step(self, word, h, c):
        table = self.model.tensors['decoder.embedding.weight']
        x = table[word].astype(float)
        if table.dtype == np.int8:
            x = x * self.vector('embedding.weight.scale')[word]
        q = self.product('attention.query.weight', h) + self.vector('attention.query.bias')
        a = np.exp(self.keys @ q / np.sqrt(len(h)))
        z = a / a.sum() @ self.regions
        gates = (self.product('lstm.input.weight', x) + self.photo_product('lstm.image.weight', self.v) +
                 self.product('lstm.hidden.weight', h) + self.product('lstm.context.weight', z) +
                 self.vector('lstm.bias'))
        i, f, o, u = np.split(gates, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(u)
        h = sigmoid(o) * np.tanh(c)
        y = np.tanh(self.product('output.hidden.weight', h) +
                    self.photo_product('output.image.weight', self.v) +
                    self.product('output.context.weight', z) +
                    self.vector('output.hidden.bias') + x)
        logits = self.product('embedding.weight', y) + self.vector('output.bias')
        return self.sharpness * logits, h, c

    def forbidden(self, words):
        """What cannot follow these words, the start mark among them."""
        said = [group for group in self.groups[words] if group]
        return ([0, 1, 3, words[-1]] + ([2] if len(words) == 1 else []) +
                list(np.flatnonzero(np.isin(self.groups, said))))

    def search(self, state, width):
        beams = [(0.0, [1], state, False)]
        for _ in range(18):
            found = []
            for score, words, (h, c), ended in beams:
                if ended:
                    found.append((score, words, (h, c), True))
                    continue
                logits, h, c = self.step(words[-1], h, c)
                logits = logits - logits.max()
                scores = logits - np.log(np.exp(logits).sum())
                scores[self.forbidden(words)] = -np.inf
                for word in np.argsort(-scores)[:width]:
                    found.append((score + scores[word], words + [int(word)], (h, c), word == 2))
            beams = sorted(found, key=lambda beam: -beam[0])[:width]
        best = max(beams, key=lambda beam: beam[0] / (len(beam[1]) - beam[3]) ** self.power)
        return ' '.join(self.words[word] for word in best[1][1:] if word != 2)

    def sure_words(self, state, caption):
        """How many of the greedy words come before the first that another word is
        within TIE of: rounding decides there, in any implementation."""
        words, (h, c) = [1], state
        for count, following in enumerate(caption.split() + ['</s>']):
            logits, h, c = self.step(words[-1], h, c)
            logits[self.forbidden(words)] = -np.inf
            if np.diff(np.sort(logits)[-2:])[0] < TIE:
                return count
            words.append(self.words.index(following))
        return count


def main():
    model = Gguf(sys.argv[2])
    network, decoder = Network(sys.argv[1]), Decoder(model)
    captions = {}
    for photo in sys.argv[4:]:
        picture = Image.open(photo).convert('RGB').resize((299, 299), Image.BILINEAR)
        values = network.run(np.asarray(picture))
        grid = values['InceptionV3/InceptionV3/Mixed_7c/concat'].reshape(64, 2048)
        logits = values['InceptionV3/Logits/Conv2d_1c_1x1/BiasAdd'].ravel()
        classes = np.exp(logits - logits.max())
        state = decoder.begin(values['InceptionV3/Logits/AvgPool_1a_8x8/AvgPool'].ravel(), grid,
                              classes / classes.sum())
        first = decoder.step(1, *state)[0]
        order = np.argsort(-first)[:10]
        greedy = decoder.search(state, 1)
        captions[os.path.basename(photo)] = {
            'greedy': greedy, 'greedy_sure': decoder.sure_words(state, greedy),
            'beam3': decoder.search(state, 3),
            'first': {decoder.words[word]: round(float(first[word]), 4) for word in order}}
        print(photo, captions[os.path.basename(photo)]['beam3'])
    with open(sys.argv[3], 'w') as file:
        json.dump({'model': model.checksum(), 'photos': captions}, file, indent=1)
        file.write('\n')


if __name__ == "__main__":
    main()
