"""all-MiniLM-L6-v2 in OpenVINO, which gets its batches all at once and shares its threads out
itself: fp32, bf16 (what it chooses where the processor multiplies it) or int8: weights with one
scale for each row, activations quantised on the way. Prints one JSON document."""

import tempfile

import numpy
import openvino
from openvino import opset13

from encoder_inputs import BATCH, INPUTS, TOKENS, arguments_of, report, token_ids
from minilm_graph import PlainForm, write

SETTINGS = {
    "fp32": {"INFERENCE_PRECISION_HINT": "f32"},
    "bf16": {"INFERENCE_PRECISION_HINT": "bf16"},
    "int8": {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": 32},
}


def quantise_weights(model):
    """Puts 8-bit weights and their scales in the place of every constant factor."""
    for node in model.get_ordered_ops():
        if node.get_type_name() != "MatMul":
            continue
        constant = node.input_value(1).get_node()
        if constant.get_type_name() != "Constant":
            continue
        weights = constant.data.T  # [out, in]
        scales = numpy.abs(weights).max(axis=1, keepdims=True) / 127
        whole = opset13.constant(numpy.round(weights / scales).astype(numpy.int8))
        factor = opset13.multiply(opset13.convert(whole, "f32"), opset13.constant(scales))
        product = opset13.matmul(node.input_value(0), factor, False, True)
        node.output(0).replace(product.output(0))
    model.validate_nodes_and_infer_types()


def compiled(arguments):
    core = openvino.Core()
    if (arguments.variant == "bf16"
            and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")):
        raise SystemExit("this processor has no bf16 products")
    with tempfile.TemporaryDirectory() as folder:
        write(arguments.model, PlainForm, folder + "/minilm.onnx")
        model = core.read_model(folder + "/minilm.onnx")
        if arguments.variant == "int8":
            quantise_weights(model)
        model.reshape({name: [BATCH, TOKENS] for name in ("input_ids", "attention_mask")})
        return core.compile_model(model, "CPU", {
            "INFERENCE_NUM_THREADS": arguments.threads, "PERFORMANCE_HINT": "THROUGHPUT",
            **SETTINGS[arguments.variant]})


def main():
    arguments = arguments_of(__doc__, list(SETTINGS))
    queue = openvino.AsyncInferQueue(compiled(arguments))
    ids = numpy.array(token_ids(), numpy.int64)
    mask = numpy.ones((BATCH, TOKENS), numpy.int64)
    vectors = [None] * INPUTS

    def keep(request, begin):
        vectors[begin:begin + BATCH] = request.get_output_tensor(0).data.copy()

    queue.set_callback(keep)

    def embed():
        for begin in range(0, INPUTS, BATCH):
            queue.start_async({"input_ids": ids[begin:begin + BATCH], "attention_mask": mask},
                              begin)
        queue.wait_all()
        return list(vectors)

    report(embed, arguments, f"openvino {openvino.__version__}")


if __name__ == "__main__":
    main()
