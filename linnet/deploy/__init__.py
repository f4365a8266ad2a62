"""To the device: proven bundles, their certificates, and how they are used."""
