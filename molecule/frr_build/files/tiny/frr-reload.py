#!/usr/bin/env python3
"""Stands where frr-reload.py is."""
