# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenCV dnn as a peer. One run for each line on standard input; prints its
milliseconds. Usage: peer_opencv.py FLOAT.onnx THREADS"""

import sys
import time

import cv2
import numpy


def main():
    cv2.setNumThreads(int(sys.argv[2]))
    network = cv2.dnn.readNetFromONNX(sys.argv[1])
    blob = numpy.random.default_rng(1).random((1, 3, 299, 299), dtype=numpy.float32)
    for _ in range(5):
        network.setInput(blob)
        network.forward()
    print("ready OpenCV", cv2.__version__, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        network.setInput(blob)
        network.forward()
        print((time.perf_counter() - start) * 1e3, flush=True)


main()
