# Completion of descry(1) for bash, written by `descry --print-completion`.
_descry()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[*]:1:COMP_CWORD-1}
	local words=
	case "$before " in
	"describe "*) words=' --local --quiet --speak --anything --beam --alternatives --verbosity --model --threads --wav --json --system --help' ;;
	"look "*) words=' --camera --quiet --speak --verbosity --alternatives --json --system --help' ;;
	"focus "*) words=' --quiet --speak --verbosity --alternatives --json --system --help' ;;
	"screen "*) words=' --quiet --speak --verbosity --alternatives --json --system --help' ;;
	"clipboard "*) words=' --quiet --speak --verbosity --alternatives --json --system --help' ;;
	"watch "*) words=' --camera --pause --json --system --help' ;;
	"press "*) words=' --json --system --help' ;;
	"devices "*) words=' --json --system --help' ;;
	"say "*) words=' --priority --language --json --system --help' ;;
	"repeat "*) words=' --json --system --help' ;;
	"stop "*) words=' --json --system --help' ;;
	"status "*) words=' --json --system --help' ;;
	"set "*) words=' --json --system --help' ;;
	"voices "*) words=' --json --system --help' ;;
	"classify "*) words=' --count --model --threads --features --plain --json --system --help' ;;
	"model info "*) words=' --layers --json --system --help' ;;
	"model import "*) words=' --output --metadata --labels --decoder --vocabulary --pool --grid --classes --mean --std --bgr --json --system --help' ;;
	"model calibrate "*) words=' --train --train-images --captions --images --non-photos --judged-non-photos --cache --output --report --seed --threads --json --system --help' ;;
	"model quantise "*) words=' --output --photos --sharpness --length-power --nouns-once --ranges --layers --json --system --help' ;;
	"model quantize "*) words=' --output --photos --sharpness --length-power --nouns-once --ranges --layers --json --system --help' ;;
	"model average "*) words=' --output --shares --json --system --help' ;;
	"train convert "*) words=' --output --source --json --system --help' ;;
	"train "*) words=' --captions --images --model --output --val --val-images --cache --text --init --keep-words --preset --decoder --hidden --layers --min-count --class-scores --mirrored --epochs --language-epochs --reward-epochs --rate --language-rate --reward-rate --final-rate --warm-up --batch --text-batch --samples --sharpness --repetition-penalty --reward-captions --smoothing --dropout --feature-noise --weight-decay --clip --average --seed --threads --validations --patience --bad-entries --checkpoint --checkpoint-minutes --resume --report --interval --redraw --json --system --help' ;;
	"eval "*) words=' --captions --images --model --results --cache --floats --beam --plain --sample --temperature --seed --threads --calibration --judged-non-photos --report --list --json --system --help' ;;
	"orca install "*) words=' --focus-key --camera-key --repeat-key --stop-key --json --system --help' ;;
	"orca remove "*) words=' --json --system --help' ;;
	"model ") words=' info import calibrate quantise quantize average' ;;
	"train ") words=' convert' ;;
	"orca ") words=' install remove' ;;
	" ") words=' describe look focus screen clipboard watch press devices say repeat stop status set voices classify model train eval orca --help --version' ;;
	esac
	if [[ $word == -* || $COMP_CWORD -eq 1 ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
	else
		mapfile -t COMPREPLY < <(compgen -W "${words//--*/}" -- "$word"; compgen -f -- "$word")
	fi
}
complete -o filenames -F _descry descry
