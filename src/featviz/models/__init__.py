"""Where networks come from: the default's package, torchvision, timm, a checkpoint, a module of one's own."""
