-- Each event is a session of its own: sign-in, one SELECT, end.

function thread_init()
  driver = sysbench.sql.driver()
end

function event()
  local connection = driver:connect()
  connection:query("SELECT c FROM sbtest1 WHERE id = 1")
  connection:disconnect()
end
