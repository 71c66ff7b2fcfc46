module tierwatch.invalid/standin

go 1.22
