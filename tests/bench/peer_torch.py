# SPDX-License-Identifier: GPL-3.0-or-later
"""PyTorch as a peer: the same network with random weights, traced, frozen and
optimised for inference, channels last. One run for each line on standard input;
prints its milliseconds. Usage: peer_torch.py MODEL.gguf THREADS"""

import sys
import time

import torch
import torch.nn.functional as F

from network import Network


class Encoder(torch.nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network
        self.convolutions = torch.nn.ModuleDict()
        for node in network.nodes:
            if node.operator == "conv2d":
                out, height, width, depth = node.weight.shape
                self.convolutions[node.name.replace(".", "_")] = torch.nn.Conv2d(
                    depth, out, (height, width), tuple(node.stride),
                    (node.padding[0], node.padding[1]))

    def forward(self, x):
        values = [x]
        for node in self.network.nodes[1:self.network.output + 1]:
            inputs = [values[i] for i in node.inputs]
            padding = (node.padding[0], node.padding[1])
            if node.operator == "conv2d":
                value = F.relu(self.convolutions[node.name.replace(".", "_")](inputs[0]))
            elif node.operator == "max_pool":
                value = F.max_pool2d(inputs[0], tuple(node.kernel), tuple(node.stride), padding)
            elif node.operator == "average_pool":
                value = F.avg_pool2d(inputs[0], tuple(node.kernel), tuple(node.stride), padding,
                                     count_include_pad=False)
            elif node.operator == "global_average_pool":
                value = F.adaptive_avg_pool2d(inputs[0], 1)
            else:
                value = torch.cat(inputs, 1)
            values.append(value)
        return values[-1]


def main():
    torch.set_num_threads(int(sys.argv[2]))
    torch.set_num_interop_threads(1)
    network = Network(sys.argv[1])
    x = torch.rand(1, 3, network.height, network.width).to(memory_format=torch.channels_last)
    with torch.no_grad():
        model = Encoder(network).eval().to(memory_format=torch.channels_last)
        model = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model, x)))
        for _ in range(5):
            model(x)
        print("ready PyTorch", torch.__version__, flush=True)
        for _ in sys.stdin:
            start = time.perf_counter()
            model(x)
            print((time.perf_counter() - start) * 1e3, flush=True)


main()
