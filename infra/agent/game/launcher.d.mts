/** The text of launcher.mjs: it is imported with `type: "text"`, so that it travels inside of the agent's binary. */
declare const source: string;
export default source;
