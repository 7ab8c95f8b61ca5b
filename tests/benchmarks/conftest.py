"""XLA compiles without optimising: at the sizes of the tests, compiling is what takes the time."""

import os

os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")
