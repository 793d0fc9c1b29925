import { readFileSync } from "node:fs";
import react from "@vitejs/plugin-react";

// While one develops, everybody is who the development token is for; later the
// application's own server answers, see ../tokens.
const token = {
  name: "token",
  configureServer({ middlewares }) {
    middlewares.use("/token", (_, response) => {
      response.setHeader("Cache-Control", "no-store");
      response.end(readFileSync(process.env.PEAL_TOKEN ?? "peal-data/dev.token"));
    });
  },
};

export default { plugins: [react(), token] };
