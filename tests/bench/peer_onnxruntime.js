// SPDX-License-Identifier: GPL-3.0-or-later
// ONNX Runtime as a peer: one run for each line on standard input; prints its
// milliseconds. Usage: peer_onnxruntime.js FILE.onnx THREADS
"use strict";
const ort = require(process.env.ONNXRUNTIME || "onnxruntime-node");
const readline = require("readline");

async function main() {
	const [path, threads] = process.argv.slice(2);
	const session = await ort.InferenceSession.create(path, {
		intraOpNumThreads: Number(threads),
		interOpNumThreads: 1,
		executionMode: "sequential",
		graphOptimizationLevel: "all",
	});
	const name = session.inputNames[0];
	const bytes = path.includes("int8");
	const count = 3 * 299 * 299;
	const data = bytes ? new Uint8Array(count) : new Float32Array(count);
	for (let i = 0; i < count; i++) {
		const byte = (i * 40503 >>> 7) & 255;
		data[i] = bytes ? byte : (byte - 128) / 128;
	}
	const feeds = {};
	feeds[name] = new ort.Tensor(bytes ? "uint8" : "float32", data, [1, 3, 299, 299]);
	for (let i = 0; i < 5; i++)
		await session.run(feeds);
	const version = require((process.env.ONNXRUNTIME || "onnxruntime-node") + "/package.json").version;
	console.log("ready ONNX Runtime " + version);
	for await (const line of readline.createInterface({ input: process.stdin })) {
		const start = process.hrtime.bigint();
		await session.run(feeds);
		console.log(Number(process.hrtime.bigint() - start) / 1e6);
	}
}
main();
