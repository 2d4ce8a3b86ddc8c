#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Generated input, from good to hostile: descriptors through the C API, and questions written to the
# files. Every error is a documented one that the input has, and no trace is left. The short form;
# fuzz_full.sh has a million of each. The script prints its seed; seed=N ./fuzz.sh replays it.
#
# on: umkasan

. "$(dirname "$0")/functions.sh"

seed=${seed-$((RANDOM << 15 | RANDOM))}
count=${count-2000}
# Descriptors of one part; the kernel log holds all lines of a part.
part=8000

# strange: returns 0 if the log has a line of neither modreg nor its tests, and shows it
strange()
{
	dmesg --notime | grep -avE '^modreg: |^test_modreg: |^test_modreg_owner: |^[a-z]+\.sh [0-9]+ [0-9]+$' |
		sed 's/^/# log: /' | grep .
}

# generate FIRST COUNT [wrong]: registers descriptors; returns 0 if each answer was right
#	FIRST - number of the first descriptor
#	COUNT - how many
#	wrong - the registry mixes up two errors (negative control)
#
# It clears the log first.
generate()
{
	dmesg --clear
	if ! echo "$seed $*" 2> /dev/null > "$test_modreg/generate"; then
		dmesg --notime | grep -a '^test_modreg: ' | tail -n 7 | sed 's/^/# /'
		return 1
	fi
	dmesg --notime | sed -n 's/^test_modreg: \(seed .*\)/# \1/p'
	! strange
}

# descriptors: registers all descriptors, part by part
descriptors()
{
	local first
	for ((first = 0; first < count; first += part)); do
		generate "$first" $((count - first < part ? count - first : part)) || return 1
	done
}

# find_wrong_registry: returns 0 if a wrong registry is noticed, and again with the printed number
find_wrong_registry()
{
	local number
	! generate 0 5000 wrong > /tmp/caught || return 1
	number=$(sed -n "s/.*descriptor \([0-9]*\) of seed $seed: .*/\1/p" /tmp/caught | head -n 1)
	[[ -n $number ]] || return 1
	! generate "$number" $((number % 8 + 1)) wrong > /tmp/caught &&
		grep -q "descriptor $number of" /tmp/caught && generate "$number" $((number % 8 + 1))
}

# questions [wrong]: writes generated questions to resolve, reads the answers, and reads the other files
#	wrong - one kind of answer is wrong (negative control)
questions()
{
	dmesg --clear
	python3 - "$modreg" "$seed" "$count" "$@" <<- 'END' && ! strange
		import ctypes, errno, os, random, re, sys

		base, seed, count, wrong = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), len(sys.argv) > 4
		libc = ctypes.CDLL(None, use_errno=True)
		rnd = random.Random(seed)
		with open(base + "/kallsyms") as file:
		    symbols = [line.split() for line in file]
		names = [s[2] for s in symbols] + [s[3][1:-1] + ":" + s[2] for s in symbols]
		values = [s[0] for s in symbols]
		line = re.compile(rb"0x[0-9a-f]{16}( [^ ]+\+0x[0-9a-f]+/0x[0-9a-f]+)? \[[^]]+\]\n")
		seen = {}

		def fail(number, what):
		    print(f"# question {number} of seed {seed}: {what}")
		    sys.exit(1)

		def question():
		    """Returns a question and whether it has an answer; None if either is right."""
		    kind = rnd.randrange(8)
		    if kind == 0:
		        return rnd.choice(names).encode(), True
		    if kind == 1:
		        return b"0x" + rnd.choice(values).encode(), True
		    if kind == 2:
		        return b"0x%x" % (int(rnd.choice(values), 16) + rnd.randrange(-64, 4096)), None
		    if kind == 3:
		        blanks = b" \t\n"[:rnd.randrange(4)]
		        return blanks + rnd.choice(names).encode() + blanks, True
		    if kind == 4:
		        text = bytearray(rnd.choice(names).encode())
		        text[rnd.randrange(len(text))] = rnd.randrange(256)
		        return bytes(text), None
		    if kind == 5:
		        digits = rnd.choices(b"0123456789abcdefXg-+ ", k=rnd.randrange(24))
		        return b"0x" + bytes(digits), None
		    if kind == 6:
		        return bytes(rnd.randrange(256) for _ in range(rnd.randrange(64))), None
		    return b"0x%x" % rnd.getrandbits(rnd.choice([1, 12, 32, 47, 48, 63, 64, 65])), None

		def attempt(call, *args):
		    try:
		        return call(*args), 0
		    except OSError as e:
		        return None, e.errno

		def write(file, text, how):
		    if how == 0:
		        return attempt(os.pwrite, file, text, rnd.choice([0, 1, 4096, 1 << 40]))
		    if how == 1:
		        # Unmapped memory.
		        nowhere = ctypes.c_void_p(rnd.choice([0, 4096, (1 << 47) - 4096]))
		        n = libc.write(file, nowhere, rnd.randrange(1, 4096))
		        return (n, 0) if n >= 0 else (None, ctypes.get_errno())
		    if how == 2:
		        return attempt(os.write, file, text * rnd.randrange(1, 2000))
		    return attempt(os.write, file, text)

		for number in range(count):
		    rnd.seed(seed << 32 | number)
		    if not rnd.randrange(64):
		        # A listing is read in pieces from anywhere, and cannot be written.
		        file = os.open(base + "/" + rnd.choice(["plugins", "kallsyms"]), os.O_RDONLY)
		        for _ in range(4):
		            os.lseek(file, rnd.choice([0, 1, rnd.randrange(5000)]), os.SEEK_SET)
		            os.read(file, rnd.choice([1, 7, 100, 65536]))
		        if attempt(os.write, file, b"x")[1] != errno.EBADF:
		            fail(number, "a listing was written to")
		        os.close(file)
		        continue
		    text, known = question()
		    file = os.open(base + "/resolve", os.O_RDWR)
		    if not rnd.randrange(16) and os.read(file, 100):
		        fail(number, "an answer to nothing")
		    how = rnd.randrange(12)
		    written, err = write(file, text, how)
		    seen[err] = seen.get(err, 0) + 1
		    if err not in (0, errno.ENOENT, errno.EINVAL, errno.EFAULT):
		        fail(number, f"{text}: {os.strerror(err)}")
		    if wrong and err == errno.ENOENT:
		        written, err = len(text), 0
		    if err == 0 and written:
		        # In pieces, then once more from the beginning.
		        answer = b""
		        while piece := os.read(file, rnd.choice([1, 5, 4096])):
		            answer += piece
		        os.lseek(file, 0, os.SEEK_SET)
		        if os.read(file, 4096) != answer or not line.fullmatch(answer):
		            fail(number, f"{text}: {answer}")
		        if attempt(os.write, file, text)[1] != errno.EBUSY:
		            fail(number, "two questions")
		    elif known and err == errno.ENOENT and how != 2:
		        fail(number, f"{text} is not known")
		    os.close(file)
		for err, n in sorted(seen.items()):
		    print("#", n, errno.errorcode.get(err, "answered"))
	END
}

ktap_print_header
load modreg && load test_modreg && load modreg_sample_c && load modreg_sample_rust ||
	ktap_exit_fail_msg "cannot load the modules"
ktap_set_plan 7
echo "# seed $seed"
# The console is slow; strange() reads the log instead.
echo N > /sys/module/printk/parameters/ignore_loglevel
dmesg --console-level crit
before="$(plugins; kallsyms)"

result "$count descriptors: every error is one that the input has" descriptors
result "registry that mixes up two errors: noticed, and replayed" find_wrong_registry
result "$count questions: every answer is right" questions
result "wrong answer: noticed" eval 'questions wrong | grep -q "^# question .* of seed"'
result "after the questions: plugins and kallsyms are as before" output_is "$before" eval 'plugins; kallsyms'
result "after the questions: a sample's symbol resolves" output_has_line "0x[0-9a-f]+ sample_c_add\+0x0/.*" resolve sample_c_add
dmesg --clear
echo Y > /sys/module/printk/parameters/ignore_loglevel
result "modules unload" unload_all

ktap_finished
