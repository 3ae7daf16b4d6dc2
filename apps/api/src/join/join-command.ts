/**
 * Fetches the agent with Node alone. The endpoint's certificate is signed by nobody the new machine knows, so its
 * public key is compared with the pin before a byte of what came is kept.
 */
const LOADER = [
  'const[u,p]=process.argv.slice(1),{createHash:h}=require("crypto"),x=m=>{console.error(m);process.exit(1)};',
  'require("https").get(u+"/agent.mjs",{rejectUnauthorized:false,minVersion:"TLSv1.3"},r=>{',
  'const k=r.socket.getPeerX509Certificate().publicKey.export({type:"spki",format:"der"});',
  'if("sha256//"+h("sha256").update(k).digest("base64")!==p)x("the endpoint is not the one that was meant: its key has another pin");',
  'if(r.statusCode!==200)x("the endpoint answered "+r.statusCode);',
  'const b=[];r.on("data",d=>b.push(d)).on("error",e=>x(e.message)).on("end",()=>r.complete?',
  'require("fs").writeFileSync("skerry-agent.mjs",Buffer.concat(b),{mode:384}):x("cut off"))',
  '}).on("error",e=>x(e.message))',
].join('');

/**
 * One line for a shell on the new machine, which needs Node 20 and nothing else. The token goes to the agent's
 * standard input by `printf`, which shells have built in: it appears in no process's arguments.
 */
export function joinCommand({ url, pin, token }: { url: string; pin: string; token: string }): string {
  const at = `${quoted(url)} ${quoted(pin)}`;
  const join = `node skerry-agent.mjs join ${quoted(url)} --pin ${quoted(pin)}`;
  return `node -e ${quoted(LOADER)} ${at} && printf %s ${quoted(token)} | ${join}`;
}

/** In single quotes, for any POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
