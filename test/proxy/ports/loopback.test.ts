import t from 'tap'
import { isLoopback } from '../../../proxy/ports/loopback.ts'

t.test('loopback is this machine, in any of its spellings', async (t) => {
  for (const host of ['localhost', 'LOCALHOST', 'sallyport.localhost', '127.0.0.1', '127.255.255.254', '::1', '[::1]'])
    t.ok(isLoopback(host), host)
  for (const host of ['', '0.0.0.0', '::', '128.0.0.1', '127.0.0.1.example.com', 'localhost.example.com', '[::2]'])
    t.notOk(isLoopback(host), host)
})
