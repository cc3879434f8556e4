"""From a trained network to a picture: enlarging, tiling, reading and writing, ONNX."""
