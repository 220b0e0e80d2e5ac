# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs Descry and its peers in turns on one machine and writes RESULTS.md.

Each row is measured by one process for each contestant. All of a group's
processes are started and warmed up, then asked for one run each, round after
round, so that whatever else the machine does falls on all of them alike. The
minimum is what the code can do, the median what it did. Processor time counts
all threads of a process, waiting in a loop included, whatever else runs.

Usage: bench.py [--rounds N] [--threads 1,2] [--only WORD,…] [--output FILE]
Environment: BUILD (build/x86_64), MODEL, PEERS (where node_modules is)"""

import argparse
import io
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build/" + platform.machine()))
MODEL = os.environ.get("MODEL", os.path.join(ROOT, "engine/models/descry-en.gguf"))
PEERS = os.environ.get("PEERS", os.path.join(ROOT, "build/bench"))
PYTHON = "/usr/bin/python3"

REST_SECONDS = 0.1
LAYERS = "Layers"


class Contestant:
    """`prepares`: untimed work comes before each run, so that the process's
    processor time says nothing of the run."""
    def __init__(self, name, command, prepares=False):
        self.name, self.command, self.prepares = name, command, prepares
        self.times, self.version, self.memory, self.process = [], "", 0, None
        self.processor = 0.0

    def start(self):
        environment = dict(os.environ, NODE_PATH=os.path.join(PEERS, "node_modules"))
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        env=environment, cwd=HERE)
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            self.process.kill()
            return False
        self.version = line[6:].strip()
        return True

    def processor_seconds(self):
        with open("/proc/%d/stat" % self.process.pid) as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def run(self):
        self.process.stdin.write("run\n")
        self.process.stdin.flush()
        self.times.append(float(self.process.stdout.readline()))

    def stop(self):
        with open("/proc/%d/status" % self.process.pid) as status:
            for line in status:
                if line.startswith("VmHWM"):
                    self.memory = int(line.split()[1]) / 1024
        self.process.stdin.close()
        self.process.wait()

    def figures(self):
        ordered = sorted(self.times)
        return (statistics.median(ordered), ordered[0],
                ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))])


def photos(folder):
    """JPEGs of the two sizes that the bench names, enlarged from a photo of the
    repository so that they hold a real picture."""
    from_photo = os.path.join(ROOT, "tests/photos/raccoon.jpg")
    script = ("import sys; from PIL import Image; i = Image.open(sys.argv[1]).convert('RGB');"
              "[i.resize(s, Image.LANCZOS).save(f'{sys.argv[2]}/{s[0]}.jpg', quality=90)"
              " for s in ((1280, 720), (4000, 3000))]")
    subprocess.run([PYTHON, "-c", script, from_photo, folder], check=True)
    return os.path.join(folder, "1280.jpg"), os.path.join(folder, "4000.jpg")


def groups(folder, threads):
    small, large = photos(folder)
    floats, bytes_ = os.path.join(folder, "float.onnx"), os.path.join(folder, "int8.onnx")
    if not os.path.exists(floats):
        subprocess.run([PYTHON, os.path.join(HERE, "write_onnx.py"), MODEL, floats, bytes_],
                       check=True)
    worker = os.path.join(BUILD, "bench_row")

    def descry(row, *file, name="Descry", prepares=False):
        return Contestant(name, [worker, MODEL, str(threads), row, *file], prepares)

    def onnx(path, name):
        return Contestant(name, ["node", os.path.join(HERE, "peer_onnxruntime.js"), path,
                                 str(threads)])

    python = lambda name, script, path: Contestant(
        name, [PYTHON, os.path.join(HERE, script)] + ([path] if path else []) + [str(threads)])
    encoder8 = onnx(bytes_, "ONNX Runtime int8")
    yield ("Encoder in 8 bits", [descry("encoder-int8"), encoder8])
    yield ("Encoder in 32-bit floats",
           [descry("encoder-fp32"), onnx(floats, "ONNX Runtime float32"),
            python("PyTorch, frozen, channels last", "peer_torch.py", MODEL),
            python("OpenCV dnn", "peer_opencv.py", floats)])
    yield ("1280×720 JPEG to sentence, beam 3, beside ONNX Runtime's int8 encoder alone",
           [descry("caption", small), onnx(bytes_, "ONNX Runtime int8, encoder only")])
    yield ("Training, one step of 160 captions",
           [Contestant("Descry, training", [os.path.join(BUILD, "bench_train"), str(threads)]),
            python("PyTorch, training", "peer_torch_train.py", None)])
    yield ("Parts",
           [descry("decode", small, name="JPEG decode 1280×720"),
            descry("decode", large, name="JPEG decode 4000×3000"),
            descry("resize", small, name="Resize to 299×299"),
            descry("second-look", name="Second look in floats, of close captions only"),
            descry("greedy", small, name="Words, greedy"),
            descry("beam", small, name="Words, beam 3"),
            descry("step-first", prepares=True,
                   name="Decoder step, beam 3, one thread: the first after the encoder"),
            descry("step", prepares=True,
                   name="Decoder step, beam 3, one thread: any later one"),
            descry("product", prepares=True,
                   name="8-bit products of an LSTM step, hidden 512, 10,000 words, beam 3, one "
                        "thread, caches warm"),
            descry("open", name="Opening and closing the model")])


def measure(contestants, rounds):
    running = [c for c in contestants if c.start()]
    for c in contestants:
        if c not in running:
            print("%s did not start and is left out." % c.name, file=sys.stderr)
    before = [c.processor_seconds() for c in running]
    for _ in range(rounds):
        for c in running:
            # the threads of the one before may still spin in wait of work
            time.sleep(REST_SECONDS)
            c.run()
    for c, seconds in zip(running, before):
        c.processor = (c.processor_seconds() - seconds) * 1e3 / rounds
        c.stop()
    return running


def table(out, contestants, versus):
    out.write("| | median ms | minimum ms | 95th percentile ms | processor ms | peak memory MiB |%s\n"
              % (" ratio of medians | ratio of minima | of processor time |" if versus else ""))
    out.write("|---|---|---|---|---|---|%s\n" % ("---|---|---|" if versus else ""))
    peers = [c for c in contestants if not c.version.startswith("Descry")]
    for c in contestants:
        median, least, high = c.figures()
        cells = ["%.3f" % median, "%.3f" % least, "%.3f" % high,
                 "" if c.prepares else "%.2f" % c.processor,
                 "%.0f" % c.memory]
        if versus and peers:
            if c in peers:
                cells += ["", "", ""]
            else:
                cells += ["%.2f" % (median / min(p.figures()[0] for p in peers)),
                          "%.2f" % (least / min(p.figures()[1] for p in peers)),
                          "%.2f" % (c.processor / min(p.processor for p in peers))]
        out.write("| %s | %s |\n" % (c.name, " | ".join(cells)))
    out.write("\n")


def layers(out, threads):
    """Where the time of the encoder in 8 bits goes."""
    done = subprocess.run([os.path.join(BUILD, "bench_layers"), MODEL, str(threads)],
                          capture_output=True, text=True)
    if done.returncode == 0:
        out.write("### Encoder in 8 bits, layer by layer\n\n%s\n" % done.stdout)
    else:
        print("The layers could not be measured: %s" % done.stderr, file=sys.stderr)


def processor():
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--only", default="")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--output", default=os.path.join(HERE, "RESULTS.md"))
    options = parser.parse_args()
    out, versions = io.StringIO(), set()
    with tempfile.TemporaryDirectory() as folder:
        for threads in map(int, options.threads.split(",")):
            out.write("## %d thread%s\n\n" % (threads, "s" if threads > 1 else ""))
            for title, contestants in groups(folder, threads):
                if not any(word in title for word in options.only.split(",")):
                    continue
                print("%s, %d threads" % (title, threads), file=sys.stderr)
                # a training step takes as long as ten encoder runs, floats three
                share = 10 if "Training" in title else 3 if "floats" in title else 1
                done = measure(contestants, max(3, options.rounds // share))
                versions.update(c.version for c in done)
                out.write("### %s\n\n" % title)
                table(out, done, any(not c.version.startswith("Descry") for c in done))
            # one layer after the other is clearest on one thread
            if threads == 1 and any(word in LAYERS for word in options.only.split(",")):
                layers(out, threads)
    head = io.StringIO()
    head.write("# Bench results\n\n")
    head.write("Written by `make bench`. Ratios below 1 mean that Descry is faster than the best "
               "peer of the table; minima and medians are of runs taken in turns.\n\n")
    head.write("- Processor: %s, %d of its cores\n" % (processor(), len(os.sched_getaffinity(0))))
    head.write("- Kernels: %s\n" % subprocess.run(
        [os.path.join(BUILD, "bench_row"), "--kernels"], capture_output=True,
        text=True).stdout.strip())
    head.write("- Load of the machine before the run, by others: %.1f\n" % LOAD)
    head.write("- Rounds: %d\n" % options.rounds)
    head.write("- Versions: %s\n\n" % ", ".join(sorted(versions)))
    with open(options.output, "w") as file:
        file.write(head.getvalue() + out.getvalue().rstrip("\n") + "\n")
    print(head.getvalue() + out.getvalue())


LOAD = os.getloadavg()[0]
if __name__ == "__main__":
    main()
