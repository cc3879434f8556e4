"""What RL-CSC's text leaves open, and what we chose."""

from srlib.papers.published import Choice

CHOICES = (
    Choice(
        "The first code z_0",
        "rlcsc.txt:113",
        "are learned after  $K$  recursions",
        "z_0 = ReLU(W_1 y), and K recursions follow.",
        "The text gives no z_0. Only so does S act K times, as the depth K + 5 of Eq. 13 wants; from zero its first is idle.",
    ),
    Choice(
        "Biases",
        "rlcsc.txt:271",
        "The total number of parameters is about 1,329k",
        "No convolution has a bias.",
        "The text names none. Weights alone give 1,329k; with biases it would be 1,330k.",
    ),
    Choice(
        "Thresholds",
        "rlcsc.txt:119",
        "So we choose ReLU as activation function in RL-CSC.",
        "Theta of Eq. 9 is zero: plain ReLU, and nothing is subtracted.",
        "Eq. 10 makes ReLU a threshold only with a learned bias, which the text never mentions again. "
        "If the printed counts are cut and not rounded, they do not exclude one for each map.",
    ),
    Choice(
        "Filters of S",
        "rlcsc.txt:109",
        "$S \\in \\mathbb{R}^{m \\times m \\times s \\times s}$",
        "3 x 3, as printed.",
        "In ISTA S is I - D^T D / L, which for filters of 3 x 3 is a convolution of 5 x 5. LISTA learns S, so it may "
        "have any size.",
    ),
    Choice(
        "W_2",
        "rlcsc.txt:123",
        "convolution layer  $W_2 \\in \\mathbb{R}^{m \\times n \\times s \\times s}$",
        "It maps the m sparse maps to n features: 128 x 256 in the order of the other five.",
        "Nothing else fits between S and H.",
    ),
    Choice(
        "Initial weights",
        "rlcsc.txt:180",
        "variance  $2/n_{out}$ , where  $n_{out}$  is the number of output units",
        "n_out is nine times the number of output maps.",
        "That is the method of He et al., which the sentence names, counted by outputs.",
    ),
    Choice(
        "Gradient clipping",
        "rlcsc.txt:213",
        "gradients clipped to  $[-\\theta, \\theta]$",
        "The norm of all gradients together is limited to 0.4, whatever the learning rate.",
        "The text speaks of each element and calls it adjustable, but no rate is in it. "
        "The public code from which RL-CSC's descends by all signs (twtygqyy/pytorch-vdsr) limits the norm to 0.4.",
    ),
    Choice(
        "Loss over pixels",
        "rlcsc.txt:143",
        "\\frac{1}{N} \\sum_{i=1}^N",
        "The sum of squares over the pixels of a pair, a mean over the pairs of a batch.",
        "The text calls it a mean square error, but Eq. 14 divides by the number of pairs alone.",
    ),
    Choice(
        "Copies of an image",
        "rlcsc.txt:176",
        "flipping (horizontally and vertically), rotating (90, 180, and 270 degrees)",
        "Three flips (none, horizontal, vertical) times four rotations: twelve copies, of which eight differ.",
        "Only twelve give the printed number of pairs. Each reflection occurs twice among them.",
    ),
    Choice(
        "Sizes",
        "rlcsc.txt:176",
        "scaling (0.7, 0.5 and 0.4), is performed on each image",
        "Images enter at 0.7, 0.5 and 0.4 of their size and whole.",
        "Only with the whole image is the printed number of pairs reached.",
    ),
    Choice(
        "Epoch",
        "rlcsc.txt:213",
        "We train a total of 35 epochs",
        "15,076 iterations: the printed number of pairs in batches of 128, without remainder.",
        "The text gives both numbers; no batch is dropped.",
    ),
    Choice(
        "Without residual",
        "rlcsc.txt:246",
        "We remove the identity branch in RL-CSC",
        "Eq. 12 becomes I_x = R: the network makes the whole image.",
        "The identity branch of Figure 2 is the addition of the input. All else stays, as the text says.",
    ),
    Choice(
        "Start of the run without residual",
        "rlcsc.txt:246",
        "use the same parameter settings as stated in Section 5.2",
        "The weights of its partner: in `published` the paper's, in `fast` the same with H's divided by a hundred.",
        "So in `fast` the network with the residual starts near bicubic interpolation, and the one without near a black image: "
        "same weights, but another start. Under the paper's own weights both start far from any image.",
    ),
    Choice(
        "End of the run without residual",
        "rlcsc.txt:248",
        "ing, the new network cannot even converge. We stop the training process at the 14<sup>th</sup> epoch in advance.",
        "Thirteen epochs are done, on the schedule of thirty-five.",
        "Table 3 ends with epoch 13.",
    ),
    Choice(
        "Protocol",
        "rlcsc.txt:217",
        "we crop the pixels to the same amount as well",
        "Scores are DRRN's: luma resized, as many pixels as the scale cropped from each side, rounded to 8 bits.",
        "The text follows DRRN in data, tables and comparisons, and its bicubic rows are DRRN's.",
    ),
    Choice(
        "Protocol of IFC",
        "rlcsc.txt:223",
        "By following [23], BSD100 is not evaluated.",
        "IFC is measured as DRRN's.",
        "The baselines' numbers are taken from DRRN's table, so the new column must be comparable.",
    ),
    Choice(
        "Depth of Figure 8",
        "rlcsc.txt:287",
        "Our final model uses the parameter settings illustrated in Section 5.2",
        "Both networks of Figure 8 have K = 15; the smaller is no part of Figure 7.",
        "So the two settings are printed, while the final model has K = 25.",
    ),
)
