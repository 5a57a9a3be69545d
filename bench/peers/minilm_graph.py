"""all-MiniLM-L6-v2 as ONNX, made from its safetensors file: token ids and mask in, unit vectors out.

Two forms of the same arithmetic: `plain` has standard operators only, `fused` the operators of ONNX
Runtime that its own optimiser for such models would put in their place."""

import json
import pathlib

import numpy
from onnx import TensorProto, helper, numpy_helper, save
from safetensors.numpy import load_file

# Large enough to leave a masked token out, small enough for every precision.
MASKED = -10000.0


class Graph:
    """Nodes and weights in the order in which they are added."""

    def __init__(self, weights, config):
        self.weights, self.config = weights, config
        self.nodes, self.constants = [], {}

    def constant(self, name, value):
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(numpy.ascontiguousarray(value), name)
        return name

    def ints(self, *values):
        name = "ints_" + "_".join(map(str, values))
        return self.constant(name, numpy.array(values, numpy.int64))

    def floats(self, value):
        return self.constant(f"float_{value}", numpy.float32(value))

    def weight(self, name):
        return self.constant(name, self.weights[name])

    def add(self, kind, *inputs, outputs=1, **attributes):
        names = [f"{kind}_{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, name=names[0], **attributes))
        return names[0] if outputs == 1 else names

    def product(self, x, *parts):
        """x times the weights of the parts beside each other, without their biases."""
        joined = numpy.concatenate([self.weights[p + ".weight"] for p in parts]).T
        return self.add("MatMul", x, self.constant("+".join(parts) + ".weight", joined))

    def linear(self, x, part):
        return self.add("Add", self.product(x, part), self.weight(part + ".bias"))


class PlainForm(Graph):
    """Standard operators alone."""

    def norm(self, x, skip, part, bias=None):
        if bias:
            x = self.add("Add", x, self.weight(bias))
        return self.add("LayerNormalization", self.add("Add", x, skip),
                        self.weight(part + ".weight"), self.weight(part + ".bias"), axis=-1,
                        epsilon=self.config["layer_norm_eps"])

    def gelu(self, x, part):
        return self.add("Gelu", self.linear(x, part))

    def heads(self, x, part, order):
        count = self.config["num_attention_heads"]
        split = self.add("Reshape", self.linear(x, part),
                         self.ints(0, 0, count, self.config["hidden_size"] // count))
        return self.add("Transpose", split, perm=order)

    def mask(self):
        mask = self.add("Cast", "attention_mask", to=TensorProto.FLOAT)
        off = self.add("Sub", self.floats(1), self.add("Unsqueeze", mask, self.ints(1, 2)))
        return self.add("Mul", off, self.floats(MASKED))

    def attention(self, x, part, mask):
        size = self.config["hidden_size"] // self.config["num_attention_heads"]
        query, key, value = (self.heads(x, f"{part}.{name}", order) for name, order in
                             (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]),
                              ("value", [0, 2, 1, 3])))
        scores = self.add("Mul", self.add("MatMul", query, key), self.floats(size ** -0.5))
        shares = self.add("Softmax", self.add("Add", scores, mask), axis=-1)
        rows = self.add("Transpose", self.add("MatMul", shares, value), perm=[0, 2, 1, 3])
        return self.add("Reshape", rows, self.ints(0, 0, self.config["hidden_size"]))


class FusedForm(Graph):
    """With the operators of ONNX Runtime."""

    domain = "com.microsoft"

    def norm(self, x, skip, part, bias=None):
        optional = [self.weight(bias)] if bias else []
        return self.add("SkipLayerNormalization", x, skip, self.weight(part + ".weight"),
                        self.weight(part + ".bias"), *optional, domain=self.domain,
                        epsilon=self.config["layer_norm_eps"])

    def gelu(self, x, part):
        return self.add("BiasGelu", self.product(x, part), self.weight(part + ".bias"),
                        domain=self.domain)

    def mask(self):
        return self.add("Cast", "attention_mask", to=TensorProto.INT32)

    def attention(self, x, part, mask):
        parts = [f"{part}.{name}" for name in ("query", "key", "value")]
        rows = self.add("Split", self.product(x, *parts), outputs=3, axis=-1, num_outputs=3)
        bias = numpy.concatenate([self.weights[p + ".bias"] for p in parts])
        return self.add("MultiHeadAttention", *rows, self.constant(part + ".bias", bias), mask,
                        domain=self.domain, num_heads=self.config["num_attention_heads"])


def embeddings(graph):
    words = graph.add("Gather", graph.weight("embeddings.word_embeddings.weight"), "input_ids")
    # All tokens are of the first type.
    table = (graph.weights["embeddings.position_embeddings.weight"]
             + graph.weights["embeddings.token_type_embeddings.weight"][0])
    length = graph.add("Shape", "input_ids", start=1, end=2)
    rows = graph.add("Slice", graph.constant("positions", table), graph.ints(0), length)
    summed = graph.add("Add", words, rows)
    return graph.add("LayerNormalization", summed, graph.weight("embeddings.LayerNorm.weight"),
                     graph.weight("embeddings.LayerNorm.bias"), axis=-1,
                     epsilon=graph.config["layer_norm_eps"])


def layer(graph, x, number, mask):
    part = f"encoder.layer.{number}"
    mixed = graph.attention(x, part + ".attention.self", mask)
    output = part + ".attention.output"
    x = graph.norm(graph.product(mixed, output + ".dense"), x, output + ".LayerNorm",
                   output + ".dense.bias")
    inner = graph.gelu(x, part + ".intermediate.dense")
    output = part + ".output"
    return graph.norm(graph.product(inner, output + ".dense"), x, output + ".LayerNorm",
                      output + ".dense.bias")


def pooled(graph, x):
    """The mean of the tokens that the mask leaves in, scaled to length 1."""
    mask = graph.add("Cast", "attention_mask", to=TensorProto.FLOAT)
    mask = graph.add("Unsqueeze", mask, graph.ints(2))
    kept = graph.add("ReduceSum", graph.add("Mul", x, mask), graph.ints(1), keepdims=0)
    length = graph.add("ReduceL2", kept, graph.ints(1), keepdims=1)
    return graph.add("Div", kept, length)


def write(folder, form, path):
    """Writes `folder`'s model in that form to `path`."""
    folder = pathlib.Path(folder)
    config = json.loads((folder / "config.json").read_text())
    graph = form(load_file(folder / "model.safetensors"), config)
    mask, x = graph.mask(), embeddings(graph)
    for number in range(config["num_hidden_layers"]):
        x = layer(graph, x, number, mask)
    out = pooled(graph, x)
    shape = ["batch", "tokens"]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, shape)
              for name in ("input_ids", "attention_mask")]
    outputs = [helper.make_tensor_value_info(out, TensorProto.FLOAT,
                                             ["batch", config["hidden_size"]])]
    body = helper.make_graph(graph.nodes, "minilm", inputs, outputs,
                             list(graph.constants.values()))
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    save(helper.make_model(body, opset_imports=opsets, ir_version=10), path)
