"""Trainable parameters of every named network, by closed form."""

# name -> (option A, option B). Option A of the bottleneck and ImageNet nets,
# which the paper does not use: B's less the projections' 1x1 kernels.
GOLDENS = {
    "PreActResNet20": (269_722, 272_282),
    "PreActResNet32": (464_154, 466_714),
    "PreActResNet44": (658_586, 661_146),
    "PreActResNet56": (853_018, 855_578),
    "PreActResNet110": (1_727_962, 1_730_522),
    "PreActResNet1202": (19_421_274, 19_423_834),
    "PreActResNet164": (1_703_258 - 41_984, 1_703_258),
    "PreActResNet1001": (10_327_706 - 41_984, 10_327_706),
    "ResNet18V2": (11_687_720 - 172_032, 11_687_720),
    "ResNet34V2": (21_795_880 - 172_032, 21_795_880),
    "ResNet50V2": (25_549_352 - 2_768_896, 25_549_352),
    "ResNet101V2": (44_541_480 - 2_768_896, 44_541_480),
    "ResNet152V2": (60_185_128 - 2_768_896, 60_185_128),
    "ResNet200V2": (64_666_152 - 2_768_896, 64_666_152),
}
