"""How units relate: what feeds them, which are alike, and which classes they speak for."""
