"""What jwtguard costs, measured beside what people use instead. ``python -m benchmarks``; see README.md."""
