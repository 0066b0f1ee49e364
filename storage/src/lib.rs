//! Where files lie: URLs of object stores, and their objects as files of a log.
