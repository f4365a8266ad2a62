"""Modules of Plain stacks of convolutions: LeNet-5 (LeCun 1998), AlexNet (Krizhevsky 2012), VGG (Simonyan 2015)."""
