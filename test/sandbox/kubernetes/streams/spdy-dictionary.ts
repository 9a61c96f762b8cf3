import { createHash } from 'node:crypto'

/** Each behind its length in four bytes. */
const words =
  'options,head,post,put,delete,trace,accept,accept-charset,accept-encoding,accept-language,accept-ranges,age,allow,authorization,' +
  'cache-control,connection,content-base,content-encoding,content-language,content-length,content-location,content-md5,content-range,' +
  'content-type,date,etag,expect,expires,from,host,if-match,if-modified-since,if-none-match,if-range,if-unmodified-since,last-modified,' +
  'location,max-forwards,pragma,proxy-authenticate,proxy-authorization,range,referer,retry-after,server,te,trailer,transfer-encoding,' +
  'upgrade,user-agent,vary,via,warning,www-authenticate,method,get,status,200 OK,version,HTTP/1.1,url,public,set-cookie,keep-alive,origin'

const rest =
  '100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505' +
  '203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found' +
  '500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00' +
  ' Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,' +
  'text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.'

/** What header blocks of SPDY/3 are compressed with (draft-mbelshe-httpbis-spdy-00, section 2.6.10.1). */
export const spdyDictionary = Buffer.concat([
  ...words.split(',').flatMap((word) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(word.length)
    return [length, Buffer.from(word)]
  }),
  Buffer.from(rest),
])

const published = '51d27341373f923f3cd88e1eb7162aeaa3723d7585ff2399201dc06498407f02'
if (createHash('sha256').update(spdyDictionary).digest('hex') !== published) throw new Error('the dictionary is wrong')
