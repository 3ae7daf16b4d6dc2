// `npm start`: sets everything up, then brings up the local cloud in this same process, so that Ctrl-C and signals
// reach it directly.
import { checkNode, runMain, setUp } from './setup.mjs';

await runMain(async () => {
  checkNode();
  await setUp((line) => console.log(line));
  await import(new URL('./dist/main.js', import.meta.url).href);
});
