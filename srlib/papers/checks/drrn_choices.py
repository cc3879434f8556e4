"""What DRRN's text leaves open, and what we chose."""

from srlib.papers.published import Choice

CHOICES = (
    Choice(
        "Stride",
        "drrn.txt:183",
        "with the stride of 21, by considering both the training time and storage complexities",
        "Patches are cut 21 pixels apart, and schedules are counted in iterations, not epochs.",
        "The released solver's 6,536 iterations an epoch fit a stride of 31. In iterations both strides train equally long.",
    ),
    Choice(
        "Length of training",
        "drrn.txt:185",
        "decreased to half every 10 epochs",
        "B1U9 and all others train 464,056 iterations, B1U25 660,136: 71 and 101 epochs of the released solver.",
        "The text gives no number of epochs. These are the released snapshots.",
    ),
    Choice(
        "Snapshot",
        "drrn.txt:171",
        "The objective function is optimized via the mini-batch stochastic gradient descent (SGD)",
        "The last iteration is scored, never the best one on a test set.",
        "The text does not say how its snapshots were chosen. The released solver watches a file of test patches.",
    ),
    Choice(
        "Batch on two GPUs",
        "drrn.txt:185",
        "with 2 Titan X GPUs",
        "128 pairs an iteration in all.",
        "The text does not say whether each GPU has 128 pairs. The released script names one GPU.",
    ),
    Choice(
        "Scales in a batch",
        "drrn.txt:181",
        "are all included in the training set",
        "Pairs of all three scales are shuffled together, so a batch mixes them.",
        "It is the plain reading of one training set, and what the released code does.",
    ),
    Choice(
        "Gradient clipping",
        "drrn.txt:185",
        "the gradients are clipped to",
        "The norm of all gradients together is limited to theta over the learning rate.",
        "The text speaks of an interval, so of each element. The released solver clips by norm, as Caffe does.",
    ),
    Choice(
        "Loss over pixels",
        "drrn.txt:169",
        "\\frac{1}{2N}",
        "Half the sum of squares over the pixels of a patch, a mean over the patches of a batch.",
        "Eq. 10 divides by the number of patches alone. With a fixed clip the scale of the loss matters.",
    ),
    Choice(
        "Biases",
        "drrn.txt:79",
        "the biases are omitted to simplify notations",
        "Every convolution has a bias, which learns at a tenth of the rate and is not counted.",
        "The released network has them so. The printed counts are those of weights alone.",
    ),
    Choice(
        "Normalisation at both ends",
        "drrn.txt:94",
        "two “conv” layers and each stacked by BN-ReLU-weight layers",
        "Normalisation and ReLU precede every convolution, the first (on one channel) and the last included.",
        "The text says so of the residual units only. The released network has them everywhere.",
    ),
    Choice(
        "Normalisation in the recursion",
        "drrn.txt:125",
        "the weight set  $W$  is shared among the residual units within a recursive block",
        "Convolutions are shared. Each application has its own statistics, scale and shift.",
        "The text does not speak of normalisation here. The released network shares its convolutions only.",
    ),
    Choice(
        "Running statistics",
        "drrn.txt:48",
        "batch normalization (BN) [11]",
        "They move by 0.001 a step, and epsilon is 1e-5.",
        "These are the defaults of Caffe, with which the paper trains. The text names no numbers.",
    ),
    Choice(
        "Initial weights",
        "drrn.txt:185",
        "we use the same method as He et al. [7]",
        "Normal with variance 2 over the number of inputs; biases start at zero.",
        "He et al. allow inputs or outputs. Caffe's filler, which the released network names, takes inputs by default.",
    ),
    Choice(
        "Protocol",
        "drrn.txt:222",
        "we crop pixels near image boundary before evaluation",
        "As many pixels as the scale are cropped from each side, and the result is rounded to 8 bits.",
        "The text gives no number. So cropped, bicubic interpolation scores what the tables print.",
    ),
    Choice(
        "VDSR of Tables 3 and 4",
        "drrn.txt:248",
        "the VDSR re-implementation also uses BN and ReLU as the activation functions",
        "It is DRRN with U = 0: normalisation and ReLU before each convolution; 64 filters in Table 3, 128 in Table 4.",
        "The text gives neither their order nor the filters of Table 3. The [authors' repository]"
        "(https://github.com/tyshiwo/DRRN_CVPR17) does: it holds `caffe_files/VDSR_20C64/VDSR_20C64_PreBN_deploy.prototxt`, so "
        "20 layers, 64 filters, all three steps in that order, at the input too. Neither is the VDSR of [13] and Table 2: that "
        "one does not normalise. NS_C differs from Table 4's in local residuals alone.",
    ),
    Choice(
        "The fourth column of Table 4",
        "drrn.txt:259",
        "DRRN_NS\tDRRN_NS.C\tDRRN",
        "It is DRRN_C: shared weights, each unit adds its own input.",
        "Its ticks say so; its heading repeats that of the second column, at least in the text that we have.",
    ),
    Choice(
        "Points of Figure 6",
        "drrn.txt:212",
        "sample several points in the grid",
        "B1U3 to B4U3, B3U1 to B3U4, the three structures of 52 layers, and B1U9.",
        "The text names B or U fixed to 3 with the other from 1 to 4, and the three. B1U9 is trained for Table 2 anyway.",
    ),
)
