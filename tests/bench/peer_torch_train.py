# SPDX-License-Identifier: GPL-3.0-or-later
"""PyTorch as a peer of bench_train: the same decoder, batch, loss and optimiser.
One training step for each line on standard input; prints its milliseconds.
Usage: peer_torch_train.py THREADS"""

import math
import os
import sys
import time

# torch.set_num_threads does not reach OpenBLAS, which Debian's PyTorch multiplies with
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = sys.argv[1]

import torch
import torch.nn.functional as F

PHOTOS, CAPTIONS, WORDS = 32, 5, 10
HIDDEN, VOCABULARY, CHANNELS, CELLS = 512, 3493, 2048, 64


class Decoder(torch.nn.Module):
    """LSTM with attention, as engine/MODEL.md defines it; products that do not
    depend on the step before are made for all steps at once."""

    def __init__(self):
        super().__init__()

        def linear(inputs, outputs, bias=True):
            return torch.nn.Linear(inputs, outputs, bias=bias)

        self.image, self.region = linear(CHANNELS, HIDDEN), linear(CHANNELS, HIDDEN)
        self.state = linear(HIDDEN, 2 * HIDDEN)
        self.embedding = torch.nn.Embedding(VOCABULARY, HIDDEN)
        self.output_bias = torch.nn.Parameter(torch.zeros(VOCABULARY))
        self.key, self.query = linear(HIDDEN, HIDDEN, False), linear(HIDDEN, HIDDEN)
        self.lstm_input, self.lstm_image = linear(HIDDEN, 4 * HIDDEN), linear(HIDDEN, 4 * HIDDEN, False)
        self.lstm_recurrent = linear(2 * HIDDEN, 4 * HIDDEN, False)
        self.output_hidden, self.output_image = linear(HIDDEN, HIDDEN), linear(HIDDEN, HIDDEN, False)
        self.output_context = linear(HIDDEN, HIDDEN, False)

    def forward(self, pool, grid, words):
        v = F.relu(self.image(pool))
        regions = F.relu(self.region(grid))
        keys = self.key(regions)
        h, c = torch.tanh(self.state(v)).repeat_interleave(CAPTIONS, 0).chunk(2, 1)
        x = F.dropout(self.embedding(words), 0.3)
        gates_input = self.lstm_input(x) + self.lstm_image(v).repeat_interleave(CAPTIONS, 0)
        hidden, context = [], []
        for step in range(words.shape[0]):
            q = self.query(h).view(PHOTOS, CAPTIONS, HIDDEN)
            a = F.softmax(torch.bmm(q, keys.transpose(1, 2)) / math.sqrt(HIDDEN), 2)
            z = torch.bmm(a, regions).view(-1, HIDDEN)
            gates = gates_input[step] + self.lstm_recurrent(torch.cat((h, z), 1))
            i, f, o, u = gates.chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(u)
            h = torch.sigmoid(o) * torch.tanh(c)
            hidden.append(h)
            context.append(z)
        y = torch.tanh(self.output_hidden(torch.stack(hidden)) + x +
                       self.output_image(v).repeat_interleave(CAPTIONS, 0) +
                       self.output_context(torch.stack(context)))
        return F.linear(F.dropout(y, 0.3), self.embedding.weight, self.output_bias)


def main():
    torch.set_num_threads(int(sys.argv[1]))
    torch.set_num_interop_threads(1)
    torch.manual_seed(1)
    model = Decoder()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-4)
    pool, grid = torch.rand(PHOTOS, CHANNELS), torch.rand(PHOTOS, CELLS, CHANNELS)
    captions = torch.randint(4, VOCABULARY, (WORDS, PHOTOS * CAPTIONS))
    inputs = torch.cat((torch.ones(1, PHOTOS * CAPTIONS, dtype=torch.long), captions))
    targets = torch.cat((captions, torch.full((1, PHOTOS * CAPTIONS), 2)))
    print("ready PyTorch", torch.__version__, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        optimiser.zero_grad()
        logits = model(pool, grid, inputs)
        F.cross_entropy(logits.view(-1, VOCABULARY), targets.view(-1), label_smoothing=0.1).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5)
        optimiser.step()
        print((time.perf_counter() - start) * 1000, flush=True)


main()
