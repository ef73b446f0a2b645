"""What the manual is made with: man pages, the reference of the command line and of the gateway, the site of docs/.

Everything here is for whoever builds AWARE; nothing of it is installed.
"""
