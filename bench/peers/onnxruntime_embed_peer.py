"""all-MiniLM-L6-v2 in ONNX Runtime: fp32, int8 as its dynamic quantisation makes it, or int8-blocks:
weights in blocks of 32 with 8-bit activations. Prints one JSON document."""

import logging
import pathlib
import tempfile

import numpy
import onnx
import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

from encoder_inputs import BATCH, INPUTS, arguments_of, report, token_ids
from minilm_graph import FusedForm, write

INT8_ACTIVATIONS = 4  # accuracy_level of MatMulNBits


def quantised_by_channel(path):
    # Without VNNI its products of 8 bits saturate in 16; 7 bits do not.
    vnni = "vnni" in pathlib.Path("/proc/cpuinfo").read_text()
    quantize_dynamic(path, path, per_channel=True, reduce_range=not vnni,
                     weight_type=QuantType.QInt8,
                     # It cannot infer the types behind its own fused operators.
                     extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT})


def quantised_by_block(path):
    quantizer = MatMulNBitsQuantizer(onnx.load(path), bits=8, block_size=32, is_symmetric=True,
                                     accuracy_level=INT8_ACTIVATIONS)
    quantizer.process()
    quantizer.model.save_model_to_file(path, False)


VARIANTS = {"fp32": lambda path: None, "int8": quantised_by_channel,
            "int8-blocks": quantised_by_block}


def session(arguments):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = arguments.threads
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/minilm.onnx"
        write(arguments.model, FusedForm, path)
        VARIANTS[arguments.variant](path)
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def main():
    arguments = arguments_of(__doc__, list(VARIANTS))
    logging.disable(logging.WARNING)
    run = session(arguments).run
    ids = numpy.array(token_ids(), numpy.int64)
    mask = numpy.ones_like(ids)

    def embed():
        return numpy.concatenate([
            run(None, {"input_ids": ids[i:i + BATCH], "attention_mask": mask[i:i + BATCH]})[0]
            for i in range(0, INPUTS, BATCH)])

    report(embed, arguments, f"onnxruntime {onnxruntime.__version__}")


if __name__ == "__main__":
    main()
