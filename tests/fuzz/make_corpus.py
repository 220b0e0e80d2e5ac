#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the seeds in tests/fuzz/corpus: small inputs of every kind that each
target understands, so that a fuzzer begins where the interesting code is.

Usage: tests/fuzz/make_corpus.py"""
import gzip
import io
import json
import os
import random
import struct

from PIL import Image

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def write(target, name, data):
    folder = os.path.join(HERE, target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())


def picture(width, height, mode="RGB"):
    image = Image.new("RGB", (width, height))
    image.putdata([(255 * x // width, 255 * y // height, (x * y) & 255)
                   for y in range(height) for x in range(width)])
    return image.convert(mode)


def encode(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def exif(orientation):
    block = Image.Exif()
    block[0x112] = orientation
    return block


def pictures():
    write("image", "colour.jpg", encode(picture(24, 17), "JPEG", exif=exif(6)))
    write("image", "progressive.jpg", encode(picture(33, 18), "JPEG", progressive=True,
                                             exif=exif(3)))
    write("image", "grey.jpg", encode(picture(20, 20, "L"), "JPEG"))
    write("image", "cmyk.jpg", encode(picture(16, 16, "CMYK"), "JPEG"))
    jpeg = encode(picture(40, 40), "JPEG", quality=50)
    write("image", "cut.jpg", jpeg[:len(jpeg) * 3 // 4])
    write("image", "rgb.png", encode(picture(9, 7), "PNG"))
    write("image", "rgba.png", encode(picture(9, 7, "RGBA"), "PNG"))
    write("image", "palette.png", encode(picture(9, 7).quantize(16), "PNG", transparency=1,
                                         bits=4))
    write("image", "bits.png", encode(picture(9, 7, "1"), "PNG"))
    write("image", "grey16.png", encode(picture(9, 7, "L").convert("I"), "PNG"))
    write("image", "oriented.png", encode(picture(9, 7), "PNG", exif=exif(8)))
    write("image", "text.txt", "not a picture\n")


def streams():
    one = encode(picture(16, 16), "JPEG", quality=30)
    two = encode(picture(16, 8), "JPEG", quality=30, exif=exif(1))
    cuts = bytes([63, 0, 200, 7])
    write("mjpeg", "bare", cuts + one + two + one)
    part = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
    write("mjpeg", "multipart", cuts + part % len(one) + one + b"\r\n" + part % len(two) + two)
    write("mjpeg", "broken", cuts + one[:100] + two + b"\xff\xd8\xff\xd9" + one)
    for name, head in (("stream", b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; "
                                  b"boundary=frame\r\n\r\n"),
                       ("chunked", b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n"
                                   b"Transfer-Encoding: chunked\r\n\r\n")):
        body = part % len(one) + one + b"\r\n" + part % len(two) + two
        if name == "chunked":
            body = b"%x\r\n" % len(one) + one + b"\r\n0\r\n\r\n"
        write("http", name, head + body)
    write("http", "redirect", b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n")
    write("http", "page", b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n"
                          b"\r\nhi!\n")
    write("http", "single", b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: %d"
                            b"\r\n\r\n" % len(one) + one)


def configurations():
    write("config", "some.conf", "[model]\npath = /usr/share/descry/models/descry-en.gguf\n"
          "threads = 2\n[speech]\nrate=200\nvoice = en-gb ; comment\n[sounds]\ntick = no\n")
    write("config", "wrong.conf", "[speech]\nrate = 10000\n")
    write("config", "unknown.conf", "# comment\n[nothing]\nx = y\n")
    write("config", "twice.conf", "[log]\nlevel = info\nlevel = debug\n")
    write("config", "camera.conf", "[camera front]\nkind = v4l2\ndevice = auto\n"
          "[camera door]\nkind = http\nurl = http://127.0.0.1:8080/\n[button gpio]\nname = gpio-keys\n")


def messages():
    def align(data, size):
        return data + b"\0" * (-len(data) % size)

    def string(text):
        text = text.encode()
        return struct.pack("<I", len(text)) + text + b"\0"

    def header(signature, body):
        fields = b""
        for code, kind, value in ((1, "o", "/org/descry/Descry1"), (2, "s", "org.descry.Descry1"),
                                  (3, "s", "Describe")):
            fields = align(fields, 8) + bytes([code]) + b"\1" + kind.encode() + b"\0"
            fields = align(fields, 4) + string(value)
        fields = align(fields, 8) + b"\x08\1g\0" + bytes([len(signature)]) + \
            signature.encode() + b"\0"
        head = b"l\1\0\1" + struct.pack("<III", len(body), 1, len(fields)) + fields
        return align(head, 8) + body

    def dictionary(entries):
        out = b""
        for key, kind, value in entries:
            out = align(out, 8) + string(key) + b"\1" + kind.encode() + b"\0"
            if kind == "s":
                out = align(out, 4) + string(value)
            elif kind == "d":
                out = align(out, 8) + struct.pack("<d", value)
            elif kind == "b" or kind == "u":
                out = align(out, 4) + struct.pack("<I", value)
            elif kind == "x":
                out = align(out, 8) + struct.pack("<q", value)
        # the array's length is followed by padding to its elements' alignment
        return struct.pack("<II", len(out), 0) + out

    write("arguments", "options", header("a{sv}", dictionary(
        [("speak", "b", 1), ("beam", "u", 3), ("verbosity", "s", "full"), ("factor", "d", 0.25),
         ("text", "s", "hello"), ("path", "s", "/tmp/x")])))
    write("arguments", "wrong", header("a{sv}", dictionary(
        [("speak", "s", "yes"), ("beam", "x", -3), ("nothing", "u", 1)])))
    write("arguments", "text", header("s", string("A man riding a wave.")))
    write("arguments", "list", header("as", struct.pack("<I", 14) + align(string("a"), 4) +
                                      string("b")))


def captions():
    data = json.dumps({"images": [{"id": 1, "file_name": "a.jpg", "source": "coco"},
                                  {"id": 2, "file_name": "b.jpg"}],
                       "annotations": [{"id": 1, "image_id": 1, "caption": "A dog isn't a cat."},
                                       {"id": 2, "image_id": 2, "caption": "Two men's hats"},
                                       {"id": 3, "image_id": 9, "caption": "lost"}]})
    write("captions", "coco.json", b"\1" + data.encode())
    lines = '{"captions": ["A red bus.", "A bus on a street"]}\n{"captions": []}\n'
    write("captions", "lines.jsonl", b"\0" + lines.encode())
    write("captions", "lines.gz", b"\0" + gzip.compress(lines.encode(), mtime=0))


def texts():
    write("speech", "caption", "A man riding a wave on a surfboard.")
    write("speech", "markup", "<speak>Say <break time='9s'/> [[h@l'oU]] &amp; \x01f90\x01 end</speak>")
    write("speech", "odd", "tab\tand\r\nlines \u00e9\u4e2d\U0001f600 \u202ebidi\u200b \ufeff".encode()
          + b" \xff\xc0\x80\xed\xa0\x80")
    # what eSpeak NG could not cope with before the texts were cut for it
    for name, text in {
            "unknown-sign": "\u0553\u058c,#", "two-emoji": "\U0001f5f1\U0001f4bc \U0001f1e7\U0001f9d4",
            "emoji-in-korean": "\u110b$\U0001f3b5", "skin": "\U0001f65a\U0001f3ff\u1149",
            "polish-and-rare": "\u017c\u01ef \u0142\xfe \xdf\u1ead", "nukta": "\u0aab\u0abc",
            "circle": "\u24dc", "braille": "\u28ff\u28df", "cham": "\ua995\u1038",
            "samaritan": "\u083c-\u0854", "joiners": "a\ufe0fb\u200d \u0915\u094d\u200d\u0937"}.items():
        write("speech", name, text)


def models():
    def string(text):
        return struct.pack("<Q", len(text)) + text.encode()

    entries = [("general.architecture", 8, string("descry")),
               ("general.alignment", 4, struct.pack("<I", 32)),
               ("general.name", 8, string("small")),
               ("list", 9, struct.pack("<IQ", 8, 2) + string("a") + string("b")),
               ("numbers", 9, struct.pack("<IQ", 5, 3) + struct.pack("<iii", 1, -2, 3)),
               ("real", 6, struct.pack("<f", 0.5)), ("yes", 7, b"\1")]
    tensors = [("matrix", [3, 2], 0, 24), ("bytes", [5], 24, 5), ("half", [4], 1, 8)]
    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(entries))
    for key, kind, value in entries:
        out += string(key) + struct.pack("<I", kind) + value
    offset = 0
    for name, shape, kind, size in tensors:
        out += string(name) + struct.pack("<I", len(shape))
        out += b"".join(struct.pack("<Q", d) for d in shape) + struct.pack("<IQ", kind, offset)
        offset += (size + 31) // 32 * 32
    out += b"\0" * (-len(out) % 32)
    out += bytes(random.Random(1).randrange(256) for _ in range(offset))
    write("model", "small.gguf", out)
    write("model", "empty.gguf", b"GGUF" + struct.pack("<IQQ", 3, 0, 0))


class ByteValue(int):
    pass


class Table(dict):
    """A FlatBuffers table: field number to a value. int is a 32-bit number,
    ByteValue a byte, str a string, bytes a vector of bytes, Table a table, a list a vector of
    numbers (floats: 32 bits) or tables, a tuple a vector of 64-bit numbers."""


def flatbuffer(root):
    """Parents before children, as offsets point forward; each table has a vtable
    of its own just before it."""
    out = bytearray(b"\0\0\0\0TFL3")
    waiting = [(0, root)]
    while waiting:
        place, value = waiting.pop(0)
        out += b"\0" * (-len(out) % 8)
        if isinstance(value, Table):
            count = max(value) + 1
            vtable = len(out)
            start = vtable + 4 + 2 * count
            start += -start % 4
            sizes = {n: 1 if isinstance(v, ByteValue) else 4 for n, v in value.items()}
            offsets, end = {}, 4
            for number in sorted(value, key=lambda n: -sizes[n]):
                offsets[number] = end
                end += sizes[number]
            out += struct.pack("<HH", 4 + 2 * count, end)
            out += b"".join(struct.pack("<H", offsets.get(n, 0)) for n in range(count))
            out += b"\0" * (start - len(out)) + struct.pack("<i", start - vtable) + bytes(end - 4)
            for number, v in value.items():
                at = start + offsets[number]
                if isinstance(v, ByteValue):
                    out[at] = v
                elif isinstance(v, int):
                    struct.pack_into("<i", out, at, v)
                else:
                    waiting.append((at, v))
            target = start
        else:
            if isinstance(value, tuple):
                out += b"\0\0\0\0"	# the numbers after the count lie on eight bytes
            target = len(out)
            out += struct.pack("<I", len(value))
            if isinstance(value, str):
                out += value.encode() + b"\0"
            elif isinstance(value, bytes):
                out += value
            elif isinstance(value, tuple):
                out += struct.pack("<%dq" % len(value), *value)
            elif value and isinstance(value[0], (Table, str)):
                for v in value:
                    waiting.append((len(out), v))
                    out += b"\0\0\0\0"
            elif value and isinstance(value[0], float):
                out += struct.pack("<%df" % len(value), *value)
            else:
                out += struct.pack("<%di" % len(value), *value)
        struct.pack_into("<I", out, place, target - place)
    return bytes(out)


def networks():
    rng = random.Random(2)

    def tflite(quantised):
        kinds = {"value": 3 if quantised else 0, "bias": 2 if quantised else 0}
        buffers = [b""]

        def tensor(name, shape, kind="value", filled=False):
            count = 1
            for d in shape:
                count *= d
            size = 1 if quantised and kind == "value" else 4
            buffers.append(bytes(rng.randrange(60) for _ in range(count * size)) if filled else b"")
            t = Table({0: list(shape), 2: len(buffers) - 1, 3: name})
            t[1] = ByteValue(kinds[kind])
            if quantised:
                t[4] = Table({2: [0.05], 3: (128 if kind == "value" else 0,)})
            return t

        tensors = [tensor("input", (1, 8, 8, 3)), tensor("conv/w", (4, 3, 3, 3), filled=True),
                   tensor("conv/b", (4,), "bias", True), tensor("conv", (1, 8, 8, 4)),
                   tensor("pool", (1, 1, 1, 4)), tensor("fc/w", (5, 4), filled=True),
                   tensor("fc/b", (5,), "bias", True), tensor("classes", (1, 5))]
        operators = [
            Table({0: 0, 1: [0, 1, 2], 2: [3], 3: ByteValue(1), 4: Table({0: ByteValue(0), 1: 1,
                                                                     2: 1, 3: ByteValue(3)})}),
            Table({0: 1, 1: [3], 2: [4], 3: ByteValue(5), 4: Table({0: ByteValue(1), 1: 8, 2: 8,
                                                                3: 8, 4: 8})}),
            Table({0: 2, 1: [4, 5, 6], 2: [7], 3: ByteValue(8), 4: Table({0: ByteValue(0)})}),
        ]
        codes = [Table({0: ByteValue(c), 2: 1, 3: c}) for c in (3, 1, 9)]
        graph = Table({0: tensors, 1: [0], 2: [7], 3: operators, 4: "main"})
        return flatbuffer(Table({0: 3, 1: codes, 2: [graph], 3: "seed",
                                 4: [Table({0: b}) if b else Table({0: b""}) for b in buffers]}))

    write("tflite", "float.tflite", tflite(False))
    write("tflite", "quantised.tflite", tflite(True))


def message(*fields):
    """A protocol buffer: (number, value) with int, float, str, bytes or a message."""
    def varint(n):
        n &= (1 << 64) - 1
        out = b""
        while n > 127:
            out += bytes([n & 127 | 128])
            n >>= 7
        return out + bytes([n])

    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        elif isinstance(value, float):
            out += varint(number << 3 | 5) + struct.pack("<f", value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def onnx():
    rng = random.Random(3)

    def tensor(name, *dims):
        count = 1
        for d in dims:
            count *= d
        return message(*[(1, d) for d in dims], (2, 1), (8, name),
                       (9, struct.pack("<%df" % count, *[rng.uniform(-1, 1)
                                                         for _ in range(count)])))

    def node(kind, inputs, output, *attributes):
        return message(*[(1, i) for i in inputs], (2, output), (3, kind), (4, kind),
                       *[(5, a) for a in attributes])

    def ints(name, *values):
        return message((1, name), *[(8, v) for v in values])

    def value(name, *dims):
        shape = message(*[(1, message((1, d))) for d in dims])
        return message((1, name), (2, message((1, message((1, 1), (2, shape))))))

    nodes = [
        node("Conv", ["x", "w", "b"], "c", ints("kernel_shape", 3, 3), ints("pads", 1, 1, 1, 1),
             ints("strides", 2, 2)),
        node("BatchNormalization", ["c", "g", "h", "m", "v"], "n",
             message((1, "epsilon"), (2, 1e-5))),
        node("Relu", ["n"], "r"),
        node("GlobalAveragePool", ["r"], "p"),
        node("Flatten", ["p"], "f"),
        node("Gemm", ["f", "u", "t"], "y", message((1, "transB"), (3, 1))),
    ]
    graph = message(*[(1, n) for n in nodes], (2, "seed"),
                    *[(5, t) for t in (tensor("w", 4, 3, 3, 3), tensor("b", 4), tensor("g", 4),
                                       tensor("h", 4), tensor("m", 4), tensor("v", 4),
                                       tensor("u", 5, 4), tensor("t", 5))],
                    (11, value("x", 1, 3, 8, 8)), (12, value("y", 1, 5)))
    write("onnx", "small.onnx", message((1, 8), (7, graph), (8, message((2, 13)))))


def weights():
    header = {"__metadata__": {"name": "small", "licence": "none"},
              "image.weight": {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12]},
              "image.bias": {"dtype": "F32", "shape": [2], "data_offsets": [12, 20]},
              "scale": {"dtype": "F32", "shape": [1], "data_offsets": [20, 24]}}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    write("safetensors", "small", struct.pack("<Q", len(text)) + text + bytes(range(24)))


if __name__ == "__main__":
    networks()
    onnx()
    weights()
    pictures()
    streams()
    configurations()
    messages()
    captions()
    texts()
    models()
