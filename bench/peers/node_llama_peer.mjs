// node-llama-cpp's prebuilt llama.cpp, measured as llama_cpp_peer.py measures the built one, but
// for what its interface leaves open: it samples (the likeliest token) where the others do not.
// Prints one JSON document with the same keys.
import {createRequire} from "node:module";
import {pathToFileURL} from "node:url";

// The command line of the other peers: a file, then options of one number or several.
const words = process.argv.slice(2);
const option = (name, ...usual) => {
  const begin = words.indexOf("--" + name) + 1;
  if (begin === 0) return usual;
  const end = words.findIndex((word, i) => i >= begin && word.startsWith("--"));
  return words.slice(begin, end < 0 ? words.length : end);
};
const numbers = (...given) => option(...given).map(Number);
// PEER_FOLDER is where it was installed.
const [file] = words, modules = process.env.PEER_FOLDER, [threads] = numbers("threads");
const prefill = numbers("prefill", 128, 512), streams = numbers("streams", 1, 8, 32);
const [before] = numbers("context", 64), [steps] = numbers("steps", 32);
const [repeats] = numbers("repeats", 3), [firstToken] = numbers("first-token", 40);

const entry = createRequire(modules + "/package.json").resolve("node-llama-cpp");
const {getLlama, LlamaLogLevel} = await import(pathToFileURL(entry));
const llama = await getLlama({gpu: false, build: "never", logLevel: LlamaLogLevel.error});
const seconds = () => performance.now() / 1000;
let start = seconds();
const model = await llama.loadModel({modelPath: file});
const results = {threads, load_ms: (seconds() - start) * 1000};
const vocab = model.fileInfo.metadata.tokenizer.ggml.tokens.length;
const tokens = (count, stream) =>
  Array.from({length: count}, (_, i) => (i * 7919 + stream * 31 + 1) % vocab);

async function withContext(sequences, length, body) {
  const context = await model.createContext({
    sequences, contextSize: Math.ceil(length / 256) * 256, batchSize: 512,
    threads: {ideal: threads, min: threads}});
  const all = Array.from({length: sequences}, () => context.getSequence());
  try {
    return await body(all);
  } finally {
    await context.dispose();
  }
}

const prefillRate = (count) => withContext(1, count + 8, async ([sequence]) => {
  let best = 0;
  for (let i = 0; i < repeats; ++i) {
    await sequence.clearHistory();
    start = seconds();
    await sequence.evaluate(tokens(count, 0), {temperature: 0, yieldEogToken: true}).next();
    best = Math.max(best, count / (seconds() - start));
  }
  return best;
});

// The steps of all streams together; the library puts their tokens into common batches.
const decodeRate = (count) => withContext(count, before + steps + 8, async (sequences) => {
  let best = 0;
  for (let i = 0; i < repeats; ++i) {
    const running = [];
    for (const [stream, sequence] of sequences.entries()) {
      await sequence.clearHistory();
      running.push(sequence.evaluate(tokens(before, stream),
                                     {temperature: 0, yieldEogToken: true}));
      await running.at(-1).next();
    }
    start = seconds();
    await Promise.all(running.map(async (tokens) => {
      for (let step = 0; step < steps; ++step) await tokens.next();
    }));
    best = Math.max(best, count * steps / (seconds() - start));
  }
  return best;
});

for (const count of prefill) results[`prefill_${count}`] = await prefillRate(count);
for (const count of streams) results[`decode_${count}`] = await decodeRate(count);
results.first_token_ms = firstToken / (await prefillRate(firstToken)) * 1000;
results.resident_mib = process.resourceUsage().maxRSS / 1024;
console.log(JSON.stringify(results));
process.exit(0);
