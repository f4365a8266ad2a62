"""Where weights come from and how they are kept: files, key maps, pretrained networks."""
