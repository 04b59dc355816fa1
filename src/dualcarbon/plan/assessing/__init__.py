"""What is made of a plan and its reports: warnings, scores, dual targets, carbon effect, board, documents."""
