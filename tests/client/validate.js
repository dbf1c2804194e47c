// Holds an OpenAPI document against the specification's own schema.
import { readFileSync } from "node:fs";
import { Validator } from "@seriousme/openapi-schema-validator";

const validator = new Validator();
const result = await validator.validate(JSON.parse(readFileSync(process.argv[2], "utf8")));
if (!result.valid) {
  console.error(JSON.stringify(result.errors, null, 2));
  process.exit(1);
}
if (validator.version !== "3.0") {
  console.error(`it is OpenAPI ${validator.version}; generators want 3.0`);
  process.exit(1);
}
