"""What runs somewhere, looked up in every place where Yandex Cloud can run an image; `sources` looks at
all.
"""
