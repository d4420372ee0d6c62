"""Yandex Cloud as it is asked: one client, then a module for each thing that it is asked about."""
