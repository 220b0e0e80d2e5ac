#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks of other programs, imported and compared: small ones of every format
with NumPy, and what the importer says of files that it cannot take."""
import json
import os
import subprocess
import sys
import tempfile
import traceback

import numpy as np
from PIL import Image

from networks import (Onnx, Table, TensorFlowJs, TfLite, average, convolution, maximum, sigmoid,
                      softmax)

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DESCRY = os.path.join(ROOT, os.environ.get('BUILD', 'build/x86_64'), 'descry')
HEIGHT, WIDTH = 17, 15
random = np.random.default_rng(1)


def weights(*shape):
    return random.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape).astype('f4')


def run(*arguments):
    return subprocess.run([DESCRY, *arguments], capture_output=True, text=True, timeout=60,
                          check=False)


def load(network, picture, *options):
    """Imports a network and returns its features and class probabilities."""
    model = os.path.join(os.path.dirname(network), 'model.gguf')
    done = run('model', 'import', network, '-o', model, *options)
    assert done.returncode == 0, done.stderr
    done = run('classify', '--json', '--features', '--plain', '-n', '100', '-m', model, picture)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    classes = np.zeros(len(answer['classes']))
    for entry in answer['classes']:
        classes[entry['index']] = entry['probability']
    return np.array(answer['features']), classes


def refusal(network):
    done = run('model', 'import', network, '-o', os.path.join(os.path.dirname(network), 'm.gguf'))
    assert done.returncode != 0 and done.returncode < 100, done
    assert not os.path.exists(os.path.join(os.path.dirname(network), 'm.gguf'))
    return done.stderr


def make_picture(folder):
    pixels = random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype='u1')
    path = os.path.join(folder, 'picture.png')
    Image.fromarray(pixels).save(path)
    return path, pixels.astype(float).transpose(2, 0, 1)


def close(found, expected, what):
    assert found.shape == expected.shape, (what, found.shape, expected.shape)
    error = np.abs(found - expected).max()
    assert error < 2e-5 * max(1, np.abs(expected).max()), f'{what} is off by {error}'


def onnx_network(folder, opset):
    """Every operator of the torchvision classifiers, and the traps of each."""
    n = Onnx(HEIGHT, WIDTH, opset)
    c = n.constant
    w = {name: weights(*shape) for name, shape in {
        'conv': (8, 3, 3, 3), 'conv_bias': (8,), 'deep': (8, 1, 3, 3), 'deep_bias': (8,),
        'point': (6, 8, 1, 1), 'point_bias': (6,), 'down': (5, 22, 1, 1), 'down_bias': (5,),
        'up': (22, 5, 1, 1), 'up_bias': (22,), 'first': (12, 22 * 5 * 4), 'first_bias': (12,),
        'last': (12, 10), 'last_bias': (10,), 'beta': (8,), 'mean': (8,)}.items()}
    w['gamma'] = random.uniform(.5, 1.5, 8).astype('f4')
    w['variance'] = random.uniform(.5, 1.5, 8).astype('f4')
    for name, values in w.items():
        c(name, values)
    n.node('Conv', ['x', 'conv', 'conv_bias'], 'c1', strides=[2, 2], pads=[1, 0, 2, 1],
           kernel_shape=[3, 3])
    n.node('BatchNormalization', ['c1', 'gamma', 'beta', 'mean', 'variance'], 'bn', epsilon=0.01)
    n.node('Relu', ['bn'], 'r1')
    n.node('Conv', ['r1', 'deep', 'deep_bias'], 'd', pads=[1, 1, 1, 1], group=8)
    if opset < 11:
        n.node('Clip', ['d'], 'a', min=0.0, max=0.4)
    else:
        c('low', np.array(0, 'f4'))
        n.node('Constant', [], 'high', value=np.array(0.4, 'f4'))
        n.node('Clip', ['d', 'low', 'high'], 'a')
    n.node('MaxPool', ['r1'], 'm', kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    n.node('Conv', ['m', 'point', 'point_bias'], 'b')
    if opset < 11:
        n.node('Pad', ['r1'], 'padded', pads=[0, 0, 1, 1, 0, 0, 1, 1])
    else:
        n.node('Pad', ['r1', c('pads', np.array([0, 0, 1, 1, 0, 0, 1, 1]))], 'padded',
               mode='constant')
    n.node('AveragePool', ['padded'], 'p', kernel_shape=[3, 3])
    n.node('Concat', ['a', 'b', 'p'], 'join', axis=1)
    n.node('GlobalAveragePool', ['join'], 'g')
    n.node('Conv', ['g', 'down', 'down_bias'], 's1')
    n.node('Relu', ['s1'], 's2')
    n.node('Conv', ['s2', 'up', 'up_bias'], 's3')
    n.node('Sigmoid', ['s3'], 's4')
    n.node('Mul', ['s4', 'join'], 'scaled')
    n.node('Sigmoid', ['scaled'], 'gate')
    n.node('Mul', ['scaled', 'gate'], 'swish')
    n.node('Add', ['swish', 'join'], 'sum')
    n.node('AveragePool', ['sum'], 'even', kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    if opset < 13:
        n.node('Flatten', ['even'], 'flat', axis=1)
    else:
        n.node('Shape', ['even'], 'shape')
        n.node('Gather', ['shape', c('zero', np.array(0))], 'batch')
        n.node('Unsqueeze', ['batch', c('axes', np.array([0]))], 'list')
        n.node('Concat', ['list', c('rest', np.array([-1]))], 'sizes', axis=0)
        n.node('Reshape', ['even', 'sizes'], 'flat')
    n.node('Gemm', ['flat', 'first', 'first_bias'], 'f1', transB=1)
    n.node('Relu', ['f1'], 'f2')
    n.node('MatMul', ['f2', 'last'], 'f3')
    n.node('Add', ['last_bias', 'f3'], 'f4')
    n.node('Softmax', ['f4'], 'y')
    path = os.path.join(folder, 'network.onnx')
    n.write(path, 'y')

    def expected(x):
        x = (x - 127.5) / 127.5
        c1 = convolution(x, w['conv'], w['conv_bias'], (2, 2), (1, 0, 2, 1))
        scale = w['gamma'] / np.sqrt(w['variance'] + 0.01)
        r1 = np.maximum(0, (c1 - w['mean'][:, None, None]) * scale[:, None, None] +
                        w['beta'][:, None, None])
        same = (1, 1, 1, 1)
        a = np.clip(convolution(r1, w['deep'], w['deep_bias'], (1, 1), same, 8), 0, 0.4)
        b = convolution(maximum(r1, (3, 3), (1, 1), same), w['point'], w['point_bias'])
        p = average(r1, (3, 3), (1, 1), same, True)
        join = np.concatenate([a, b, p])
        g = join.mean((1, 2), keepdims=True)
        s = np.maximum(0, convolution(g, w['down'], w['down_bias']))
        scaled = join * sigmoid(convolution(s, w['up'], w['up_bias']))
        total = scaled * sigmoid(scaled) + join
        # 9 rows and 7 columns: ceil_mode reaches one beyond the picture both ways
        flat = average(total, (2, 2), (2, 2), (0, 0, 1, 1), False).ravel()
        f2 = np.maximum(0, w['first'] @ flat + w['first_bias'])
        return f2, softmax(f2 @ w['last'] + w['last_bias'])

    return path, expected


def test_onnx(folder):
    """ONNX of three opsets gives what NumPy computes"""
    picture, pixels = make_picture(folder)
    for opset in (7, 11, 17):
        network, expected = onnx_network(folder, opset)
        features, classes = load(network, picture, '--mean', '127.5', '--std', '127.5')
        want_features, want_classes = expected(pixels)
        close(features, want_features, f'opset {opset}: features')
        close(classes, want_classes, f'opset {opset}: classes')


def test_onnx_normalisation_inside(folder):
    """arithmetic with constants before the first layer, means given in blue, green, red"""
    picture, pixels = make_picture(folder)
    n = Onnx(HEIGHT, WIDTH)
    mean = np.array([103.9, 116.8, 123.7], 'f4').reshape(1, 3, 1, 1)
    kernel, bias, head = weights(6, 3, 2, 2), weights(6), weights(4, 6)
    n.node('Sub', ['x', n.constant('mean', mean)], 'centred')
    n.node('Div', ['centred', n.constant('std', np.array([58.0], 'f4'))], 'scaled')
    n.node('Conv', ['scaled', n.constant('kernel', kernel), n.constant('bias', bias)], 'c',
           auto_pad='SAME_UPPER', strides=[2, 2])
    n.node('ReduceMean', ['c'], 'g', axes=[2, 3], keepdims=0)
    n.node('Gemm', ['g', n.constant('head', head)], 'y', transB=1)
    path = os.path.join(folder, 'network.onnx')
    n.write(path, 'y')
    features, classes = load(path, picture)
    x = (pixels - mean[0]) / 58
    pooled = convolution(x, kernel, bias, (2, 2), (0, 0, 1, 1)).mean((1, 2))
    close(features, pooled, 'features')
    close(classes, softmax(head @ pooled), 'classes')


def test_onnx_refusals(folder):
    """what cannot be imported is named with its node"""
    path = os.path.join(folder, 'network.onnx')
    for kind, attributes in (('Softplus', {}), ('ConvTranspose', {}), ('LSTM', {})):
        n = Onnx(HEIGHT, WIDTH)
        n.node(kind, ['x'], 'odd', **attributes)
        n.write(path, 'odd')
        said = refusal(path)
        assert kind in said and 'node_odd' in said, said
    n = Onnx(HEIGHT, WIDTH, 99)
    n.node('Relu', ['x'], 'y')
    n.write(path, 'y')
    assert '99' in refusal(path)
    n = Onnx(HEIGHT, WIDTH)
    n.node('Conv', ['x', n.constant('w', weights(4, 5, 3, 3))], 'y')
    n.write(path, 'y')
    assert 'do not fit' in refusal(path)
    n = Onnx(HEIGHT, WIDTH)
    n.node('Conv', ['x', n.constant('w', weights(4, 3, 30, 30))], 'y')
    n.write(path, 'y')
    assert 'larger than its input' in refusal(path)


def damage(path, folder, count):
    """Cuts and changes a file; every answer must be a sentence."""
    with open(path, 'rb') as file:
        sound = bytearray(file.read())
    bad = os.path.join(folder, 'bad' + os.path.splitext(path)[1])
    structure = np.flatnonzero(np.frombuffer(bytes(sound), 'u1') < 128)
    for i in range(count):
        broken = bytearray(sound)
        if i % 3 == 0:
            broken = broken[:int(random.integers(1, len(sound)))]
        else:
            broken[int(random.choice(structure))] = int(random.integers(0, 256))
        with open(bad, 'wb') as file:
            file.write(broken)
        done = run('model', 'import', bad, '-o', os.path.join(folder, 'm.gguf'))
        assert 0 <= done.returncode < 100, (done.returncode, done.stderr)
        assert done.returncode == 0 or len(done.stderr) > 20, done


def test_damage(folder):
    """damaged files are answered with a sentence"""
    damage(onnx_network(folder, 13)[0], folder, 60)
    damage(quantised_network(folder)[0], folder, 60)


def quantised_network(folder):
    """Eight bits throughout: unsigned weights for one zero point, a depthwise
    convolution, a padded one, a join, no fused activation but the ranges."""
    n = TfLite()
    wq = random.integers(0, 256, (8, 3, 3, 3))
    dq = random.integers(0, 256, (1, 3, 3, 8))
    hq = random.integers(0, 256, (4, 1, 1, 16))
    b1, b2, b3 = (random.integers(-900, 900, k) for k in (8, 8, 4))
    ranges = {'x': (1 / 128, 128), 'c': (0.02, 0), 'd': (0.03, 10), 'm': (0.02, 0),
              'j': (0.03, 10), 'p': (0.03, 10), 'y': (0.05, 90)}
    shapes = {'x': (1, HEIGHT, WIDTH, 3), 'c': (1, 9, 8, 8), 'd': (1, 9, 8, 8), 'm': (1, 9, 8, 8),
              'j': (1, 9, 8, 16), 'p': (1, 1, 1, 16), 'y': (1, 1, 1, 4)}
    for name, shape in shapes.items():
        n.tensor(name, shape, 'u1', None, *ranges[name])
    n.tensor('w', wq.shape, 'u1', wq, 0.01, 120)
    n.tensor('b1', (8,), 'i4', b1, 0.01 / 128, 0)
    n.tensor('dw', dq.shape, 'u1', dq, 0.004, 131)
    n.tensor('b2', (8,), 'i4', b2, 0.004 * 0.02, 0)
    n.tensor('h', hq.shape, 'u1', hq, 0.005, 128)
    n.tensor('b3', (4,), 'i4', b3, 0.005 * 0.03, 0)
    window = {1: ('i', 1), 2: ('i', 1)}
    n.operator('CONV_2D', ['x', 'w', 'b1'], 'c', Table({0: ('b', 0), 1: ('i', 2), 2: ('i', 2)}))
    n.operator('DEPTHWISE_CONV_2D', ['c', 'dw', 'b2'], 'd', Table({0: ('b', 0), **window,
                                                                    3: ('i', 1)}))
    n.operator('MAX_POOL_2D', ['c'], 'm', Table({0: ('b', 0), **window, 3: ('i', 3),
                                                  4: ('i', 3)}))
    n.operator('CONCATENATION', ['d', 'm'], 'j', Table({0: ('i', 3)}))
    n.operator('AVERAGE_POOL_2D', ['j'], 'p', Table({0: ('b', 1), **window, 3: ('i', 8),
                                                      4: ('i', 9)}))
    n.operator('CONV_2D', ['p', 'h', 'b3'], 'y', Table({0: ('b', 1), **window}))
    path = os.path.join(folder, 'network.tflite')
    n.write(path, 'x', 'y')

    def expected(pixels):
        def hold(value, name):
            scale, zero = ranges[name]
            return np.clip(value, -zero * scale, (255 - zero) * scale)
        x = (pixels - 128) / 128
        # SAME with stride 2 on 17 by 15: one row and column before, one behind
        c = hold(convolution(x, (wq.transpose(0, 3, 1, 2) - 120) * 0.01, b1 * 0.01 / 128, (2, 2),
                             (1, 1, 1, 1)), 'c')
        deep = (dq[0].transpose(2, 0, 1)[:, None] - 131) * 0.004
        d = hold(convolution(c, deep, b2 * 0.004 * 0.02, (1, 1), (1, 1, 1, 1), 8), 'd')
        m = hold(maximum(c, (3, 3), (1, 1), (1, 1, 1, 1)), 'm')
        j = hold(np.concatenate([d, m]), 'j')
        p = hold(j.mean((1, 2)), 'p')
        y = hold((hq[:, 0, 0] - 128) * 0.005 @ p + b3 * 0.005 * 0.03, 'y')
        return p, softmax(y)

    return path, expected


def test_tflite_quantised(folder):
    """quantised TensorFlow Lite keeps its ranges and its codes"""
    picture, pixels = make_picture(folder)
    network, expected = quantised_network(folder)
    features, classes = load(network, picture)
    want_features, want_classes = expected(pixels)
    close(features, want_features, 'features')
    close(classes, want_classes, 'classes')


def test_tflite_float(folder):
    """float TensorFlow Lite: fused activations, PAD, ADD, MEAN, FULLY_CONNECTED"""
    picture, pixels = make_picture(folder)
    n = TfLite()
    w, b, w2, h, hb = (weights(5, 3, 3, 3), weights(5), weights(5, 1, 1, 5), weights(7, 5),
                       weights(7))
    n.tensor('x', (1, HEIGHT, WIDTH, 3))
    n.tensor('padded', (1, HEIGHT + 3, WIDTH + 2, 3))
    n.tensor('c', (1, 9, 8, 5))
    n.tensor('e', (1, 9, 8, 5))
    n.tensor('s', (1, 9, 8, 5))
    n.tensor('g', (1, 5))
    n.tensor('f', (1, 7))
    n.tensor('y', (1, 7))
    n.tensor('pads', (4, 2), 'i4', np.array([[0, 0], [1, 2], [0, 2], [0, 0]]))
    n.tensor('axes', (2,), 'i4', np.array([1, 2]))
    n.tensor('w', w.shape, 'f4', w)
    n.tensor('b', b.shape, 'f4', b)
    n.tensor('w2', w2.shape, 'f4', w2)
    n.tensor('h', h.shape, 'f4', h)
    n.tensor('hb', hb.shape, 'f4', hb)
    one = {1: ('i', 1), 2: ('i', 1)}
    n.operator('PAD', ['x', 'pads'], 'padded')
    n.operator('CONV_2D', ['padded', 'w', 'b'], 'c', Table({0: ('b', 1), 1: ('i', 2),
                                                            2: ('i', 2), 3: ('b', 3)}))
    n.operator('CONV_2D', ['c', 'w2'], 'e', Table({0: ('b', 0), **one}))
    n.operator('ADD', ['c', 'e'], 's', Table({0: ('b', 1)}))
    n.operator('MEAN', ['s', 'axes'], 'g')
    n.operator('FULLY_CONNECTED', ['g', 'h', 'hb'], 'f')
    n.operator('SOFTMAX', ['f'], 'y')
    path = os.path.join(folder, 'network.tflite')
    n.write(path, 'x', 'y')
    features, classes = load(path, picture, '--std', '255')
    x = pixels / 255
    c = np.clip(convolution(x, w.transpose(0, 3, 1, 2), b, (2, 2), (1, 0, 2, 2)), 0, 6)
    e = convolution(c, w2.transpose(0, 3, 1, 2), np.zeros(5))
    g = np.maximum(0, c + e).mean((1, 2))
    close(features, g, 'features')
    close(classes, softmax(h @ g + hb), 'classes')
    n.tensor('t', (1, HEIGHT, WIDTH, 3))
    n.operator('TANH', ['x'], 't')
    n.write(path, 'x', 't')
    said = refusal(path)
    assert '28' in said and '(number 28, t)' in said, said


def test_tfjs(folder):
    """TensorFlow.js layers give what NumPy computes, colours exchanged"""
    picture, pixels = make_picture(folder)
    n = TensorFlowJs(HEIGHT, WIDTH)
    w, b = weights(3, 3, 3, 6), weights(6)
    d, h, hb = weights(3, 3, 6, 1), weights(6, 9), weights(9)
    bn = {'gamma': random.uniform(.5, 1.5, 6).astype('f4'), 'beta': weights(6),
          'moving_mean': weights(6), 'moving_variance': random.uniform(.5, 1.5, 6).astype('f4')}
    n.layer('ZeroPadding2D', 'pad', ['x'], padding=[[2, 1], [0, 1]])
    n.layer('Conv2D', 'conv', ['pad'], {'kernel': w, 'bias': b}, strides=[2, 2], padding='valid')
    n.layer('BatchNormalization', 'bn', ['conv'], bn, epsilon=0.02)
    n.layer('Activation', 'relu', ['bn'], activation='relu')
    n.layer('DepthwiseConv2D', 'deep', ['relu'], {'depthwise_kernel': d}, strides=[1, 1],
            padding='same', use_bias=False)
    n.layer('ReLU', 'relu6', ['deep'], max_value=6)
    n.layer('MaxPooling2D', 'max', ['relu'], pool_size=[3, 3], strides=[1, 1], padding='same')
    n.layer('Add', 'sum', ['relu6', 'max'])
    n.layer('GlobalAveragePooling2D', 'gap', ['sum'])
    n.layer('Dense', 'head', ['gap'], {'kernel': h, 'bias': hb}, activation='softmax')
    path = n.write(folder)
    features, classes = load(path, picture, '--mean', '120,110,100', '--bgr')
    x = (pixels - np.array([120, 110, 100])[:, None, None])[::-1]
    c = convolution(x, w.transpose(3, 2, 0, 1), b, (2, 2), (2, 0, 1, 1))
    scale = bn['gamma'] / np.sqrt(bn['moving_variance'] + 0.02)
    r = np.maximum(0, (c - bn['moving_mean'][:, None, None]) * scale[:, None, None] +
                   bn['beta'][:, None, None])
    deep = np.clip(convolution(r, d.transpose(2, 3, 0, 1), np.zeros(6), (1, 1), (1, 1, 1, 1), 6),
                   0, 6)
    g = (deep + maximum(r, (3, 3), (1, 1), (1, 1, 1, 1))).mean((1, 2))
    close(features / 100, g / 100, 'features')
    close(classes, softmax(g @ h + hb), 'classes')
    os.truncate(os.path.join(folder, 'b.bin'), 10)
    assert 'shorter' in refusal(path)
    n.layer('LayerNormalization', 'odd', ['gap'])
    said = refusal(n.write(folder))
    assert 'odd' in said and 'LayerNormalization' in said, said


def main():
    tests = [value for name, value in globals().items() if name.startswith('test_')]
    failed = 0
    print(f'1..{len(tests)}')
    for i, function in enumerate(tests, 1):
        with tempfile.TemporaryDirectory(prefix='descry-import-') as folder:
            try:
                function(folder)
                print(f'ok {i} - {function.__doc__}')
            except Exception:  # every fault is a failed test
                failed += 1
                print(f'not ok {i} - {function.__doc__}')
                print(''.join('# ' + line for line in traceback.format_exc().splitlines(True)))
    return failed > 0


sys.exit(main())
