"""The site: the pages of docs/ and what they link to, made into HTML by Sphinx. ``scripts/docs`` runs it.

``contents``: which pages, in which order. ``addresses``: which page stands for which file, and links put right.
``checks``, ``api``, ``notebook``, ``sources``: pages that are made from the project's own files, and kept nowhere else.
``pages``: all of them, in a folder for Sphinx. ``built``: what came out, each link followed.
"""
