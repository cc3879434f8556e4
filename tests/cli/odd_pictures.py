"""The small network and the colour profile of the tests with odd pictures."""

from PIL import ImageCms

from srlib.models import DRRN

MODEL = DRRN(1, 1, 4)
MODEL.reconstruction.weight.data *= 0.01  # near bicubic, as a trained network is
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
