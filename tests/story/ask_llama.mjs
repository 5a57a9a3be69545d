// Prompts, a JSON list from stdin, continued greedily by llama.cpp: ask_llama.mjs MODEL.gguf
// Prints the answers as one JSON list. PEER_FOLDER is where node-llama-cpp was installed.
import {readFileSync} from "node:fs";
import {createRequire} from "node:module";
import {availableParallelism} from "node:os";
import {pathToFileURL} from "node:url";

const entry = createRequire(process.env.PEER_FOLDER + "/package.json").resolve("node-llama-cpp");
const {getLlama, LlamaLogLevel} = await import(pathToFileURL(entry));
const llama = await getLlama({gpu: false, build: "never", logLevel: LlamaLogLevel.error});
const model = await llama.loadModel({modelPath: process.argv[2]});
const threads = availableParallelism();
const context = await model.createContext({contextSize: 512, threads: {ideal: threads, min: threads}});
const sequence = context.getSequence();
const answers = [];
for (const prompt of JSON.parse(readFileSync(0, "utf8"))) {
  await sequence.clearHistory();
  const tokens = [];
  for await (const token of sequence.evaluate(model.tokenize(prompt, true), {temperature: 0})) {
    tokens.push(token);
    if (tokens.length === 16) break;
  }
  answers.push(model.detokenize(tokens));
}
console.log(JSON.stringify(answers));
process.exit(0);
