"""What DRN's paper leaves open, and what we chose.

Each choice stands beside the code that makes it, too: in `srlib.models.drn` and `srlib.papers.drn`.
"""

from srlib.papers.published import Choice

CHOICES = (
    Choice(
        "Inner width of a block",
        "drn.txt:35",
        "consists of 1×1 , 3×3 and 1×1 convolution kernels",
        "Half the channels of the block's input.",
        'It is nowhere given. Of the widths that we tried only this one makes DRN+ "54% fewer parameters" than EDSR.',
    ),
    Choice(
        "Where features are fused",
        "drn.txt:130",
        "F_p denotes the compression using 1×1 convolution with ELU",
        'At the end of each group; `fusion="block"` puts it at the end of each block.',
        "Eq. 14 against the Introduction. The equations are what the rest of the section builds on.",
    ),
    Choice(
        "Local and global fusion",
        "drn.txt:182",
        "The filter size of local and global feature fusion is 1×1",
        "One fusion, that of the group.",
        "Two are named, and neither is explained: they may be one at the end of each block and one at the end of each group. "
        "Both together would make DRN+ 53 % smaller than EDSR, not 54 %; either alone fits.",
    ),
    Choice(
        "Distillings in a block",
        "drn.txt:98",
        "we design residual distilling as basic convolution in each RDB",
        "One: a block is one residual distilling, 1 x 1, 3 x 3 and 1 x 1.",
        "A basic convolution could be stacked, and Eq. 9 counts layers, not blocks; the text gives no number. Two a block, "
        "fused at its end, would make DRN+ 25 % smaller than EDSR, not 54 %.",
    ),
    Choice(
        "Enlarging four times",
        "drn.txt:163",
        "$PixelShuffle(\\times M)$",
        "Twice by two, as EDSR does.",
        "Table 1 shows one stage. At x4 that would make DRN+ 43 % smaller than EDSR, not 54 %.",
    ),
    Choice(
        "Activation",
        "drn.txt:182",
        "Other layers in each RDB are followed by the exponential linear unit",
        "ELU after all three convolutions of a block and after the fusion.",
        'Read as all that are not named before; F_p is "with ELU" by Section 2.3. With one after the last 1 x 1, a block can '
        "lower a feature by 0.2 at most, and raise it without limit.",
    ),
    Choice(
        "ELU's parameter",
        "drn.txt:182",
        "with parameter 0.2",
        "alpha = 0.2.",
        "ELU has no other.",
    ),
    Choice(
        "Width of DRN+",
        "drn.txt:182",
        "the network with 256 original filters in each RDB",
        "C = 256 in all layers between image and image.",
        "The groups add their input, so the first layer and the fusion cannot keep 64.",
    ),
    Choice(
        "Skips of the groups",
        "drn.txt:88",
        "+ Y_{g-1}",
        "Eq. 6, one group after another.",
        "Eq. 7 is Eq. 6 only for the first group.",
    ),
    Choice(
        "No RDBs",
        "drn.txt:166",
        "with or without RDB",
        "d = 0: the same blocks, nothing distilled.",
        "What replaces them is not said. This keeps depth and residuals, and changes only what the paper calls new.",
    ),
    Choice(
        "First weights",
        "drn.txt:182",
        "We train our model with ADAM optimizer",
        "The framework's default.",
        "How they are drawn is not said.",
    ),
    Choice(
        "Epoch",
        "drn.txt:182",
        "halve at each 200 epochs",
        "1,000 iterations.",
        "Rate, halving, patch, batch and loss are the defaults of EDSR's PyTorch code, which calls 1,000 iterations an epoch.",
    ),
    Choice(
        "LR images",
        "drn.txt:186",
        "we use 800 training images of DIV2K dataset",
        "MATLAB's imresize of the 8-bit RGB image, rounded to 8 bits.",
        "So are DIV2K's own LR images. How test images were reduced is not said; the same is used.",
    ),
    Choice(
        "Where patches lie, how they are turned",
        "drn.txt:198",
        "The size of the input image is 48×48",
        "48 x 48 at LR from a lattice of 12, in all eight turned and mirrored forms.",
        "Neither is said. The lineage draws positions freely, and turns and mirrors.",
    ),
    Choice(
        "Scale of the loss",
        "drn.txt:174",
        "\\frac{1}{N}",
        "The mean over pixels.",
        "Eq. 16 divides by samples only. Adam does not feel the factor.",
    ),
    Choice(
        "Protocol of its own rows",
        "drn.txt:182",
        "The SR results are evaluated with PSNR and SSIM",
        "`rgb_floaty`, with `lapsrn` beside it.",
        "Colour, borders and rounding are not said. `rgb_floaty` is what scripts of that lineage do; nothing proves it.",
    ),
    Choice(
        "Self-ensemble",
        "drn.txt:202",
        "We also use self-ensemble [27] to improve our models",
        "Ours are scored without.",
        "Whether it is in the printed numbers is not said. By its definition DRN+ is the wider network.",
    ),
)
