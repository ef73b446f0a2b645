"""What a seat in the council adds to an agent: etcd on this node, its files and its process."""
