"""Modules of ResNet (He 2016), ResNet-D (He 2019), ResNeXt (Xie 2017), SE-ResNet (Hu 2018)."""
