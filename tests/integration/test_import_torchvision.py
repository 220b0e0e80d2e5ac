#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""torchvision's classifiers with random weights, exported to ONNX, imported, and
compared with PyTorch on a photo: the features before the head must point the
same way (cosine 0.9999 or more). Batch normalisation gets random statistics, so
that folding it is put to the test."""
import json
import os
import subprocess
import sys
import tempfile
import traceback
import warnings

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DESCRY = os.path.join(ROOT, os.environ.get('BUILD', 'build/x86_64'), 'descry')
PHOTO = os.path.join(ROOT, 'tests/photos/chelsea.png')

try:
    import numpy as np
    import torch
    import torchvision
    from PIL import Image
except ImportError as missing:
    print(f'1..1\nok 1 - torchvision networks # SKIP {missing}')
    sys.exit(0)

# name, opset, whether the exporter folds batch normalisation and constants itself
NETWORKS = (
    ('inception_v3', 13, True), ('resnet18', 11, False), ('resnet50', 17, True),
    ('resnet101', 14, True), ('vgg11', 12, True), ('vgg16', 13, True), ('alexnet', 11, True),
    ('mobilenet_v2', 15, False), ('efficientnet_b0', 16, False),
)


def build(name):
    options = {'init_weights': True} if name == 'inception_v3' else {}
    network = getattr(torchvision.models, name)(weights=None, **options).eval()
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.normal_(0, .1)
            layer.running_var.uniform_(.5, 1.5)
            layer.weight.data.uniform_(.8, 1.2)
            layer.bias.data.normal_(0, .1)
    return network


def compare(name, opset, folded, folder):
    side = 299 if name == 'inception_v3' else 224
    network = build(name)
    seen = {}
    head = [layer for layer in network.modules() if isinstance(layer, torch.nn.Linear) and
            layer.out_features == 1000 or layer is getattr(network, 'fc', None)][-1]
    head.register_forward_hook(lambda layer, given, out: seen.update(
        pool=given[0].detach().numpy().ravel(),
        classes=torch.softmax(out, 1).detach().numpy().ravel()))
    picture = Image.open(PHOTO).convert('RGB').resize((side, side), Image.BILINEAR)
    pixels = (np.asarray(picture).astype('f4') - 127.5) / 127.5
    given = torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None]
    with torch.no_grad():
        network(given)
    onnx, gguf = (os.path.join(folder, 'network.' + kind) for kind in ('onnx', 'gguf'))
    options = {} if folded else {'training': torch.onnx.TrainingMode.PRESERVE,
                                 'do_constant_folding': False}
    torch.onnx.export(network, given, onnx, opset_version=opset, **options)
    del network
    done = subprocess.run([DESCRY, 'model', 'import', onnx, '--mean', '127.5', '--std', '127.5',
                           '-o', gguf], capture_output=True, text=True, check=False)
    os.unlink(onnx)
    assert done.returncode == 0, done.stderr
    done = subprocess.run([DESCRY, 'classify', '--json', '--features', '-n', '1', '-m', gguf,
                           PHOTO], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    found, expected = np.array(answer['features']), seen['pool'].astype(float)
    cosine = found @ expected / np.linalg.norm(found) / np.linalg.norm(expected)
    assert cosine >= 0.9999, f'cosine {cosine}'
    likeliest = answer['classes'][0]
    assert abs(likeliest['probability'] - seen['classes'].max()) < 1e-3, likeliest
    return cosine


def main():
    warnings.filterwarnings('ignore')
    torch.manual_seed(1)
    failed = 0
    print(f'1..{len(NETWORKS)}')
    for i, (name, opset, folded) in enumerate(NETWORKS, 1):
        what = f'{name}, opset {opset}, {"folded" if folded else "batch normalisation as exported"}'
        with tempfile.TemporaryDirectory(prefix='descry-import-') as folder:
            try:
                cosine = compare(name, opset, folded, folder)
                print(f'ok {i} - {what}: cosine {cosine:.6f}', flush=True)
            except Exception:  # every fault is a failed test
                failed += 1
                print(f'not ok {i} - {what}')
                print(''.join('# ' + line for line in traceback.format_exc().splitlines(True)))
    return failed > 0


sys.exit(main())
