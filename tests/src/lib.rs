//! The lab: a virtual network with real servers and PCs that can be woken.
