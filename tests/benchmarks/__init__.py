"""The benchmarks and the load, in their shortest form."""
