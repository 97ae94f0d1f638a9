package pgsource

// ConnInfo stands in for what connection strings will bring.
func (s *Server) ConnInfo() string { return "" }
