"""The calls to Yandex Cloud: one client, then a module for each kind of thing that it serves."""
